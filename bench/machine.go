package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is where a run took place.
type machine struct {
	cpu      string
	cores    int
	memoryGB float64
	system   string
	goes     string // version of Go
	postgres string // version, of the run's server
	fsync    sample // of 4 KiB appended
	disk     string // file system of the databases
}

// inspect looks at the machine; dir is where the databases will lie.
func inspect(dir string) (machine, error) {
	m := machine{cores: runtime.NumCPU(), goes: runtime.Version()}
	var err error
	if m.cpu, err = procField("/proc/cpuinfo", "model name"); err != nil {
		return m, err
	}
	total, err := procField("/proc/meminfo", "MemTotal")
	if err != nil {
		return m, err
	}
	bytes, err := kibibytes(total)
	if err != nil {
		return m, err
	}
	m.memoryGB = float64(bytes) / 1e9
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.system = runtime.GOOS + " " + strings.TrimSpace(string(release)) + ", " + runtime.GOARCH
	if m.disk, err = fileSystem(dir); err != nil {
		return m, err
	}
	if m.disk == "tmpfs" {
		return m, fmt.Errorf("%s is memory, where durability costs nothing: name a folder on a disk with -dir", dir)
	}
	m.fsync, err = measureFsync(dir)
	return m, err
}

// fsyncs is how often the time of an fsync is measured.
const fsyncs = 200

// measureFsync appends 4 KiB to a file and waits for the disk, again and again.
func measureFsync(dir string) (s sample, err error) {
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	start := time.Now()
	for range fsyncs {
		before := time.Now()
		if _, err := f.Write(page); err != nil {
			return s, err
		}
		if err := f.Sync(); err != nil {
			return s, err
		}
		s.took = append(s.took, time.Since(before))
	}
	s.elapsed = time.Since(start)
	return s, nil
}

// procField returns the value of the first line "name: value" of a file below /proc.
func procField(path, name string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "", errors.Join(fmt.Errorf("%s has no %s", path, name), lines.Err())
}

// kibibytes reads a text such as "123 kB", as /proc has it, and returns bytes.
func kibibytes(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: %w", text, err)
	}
	return n << 10, nil
}

// resident returns how much memory of a process is in RAM, in bytes.
func resident(pid int) (int64, error) {
	text, err := procField(filepath.Join("/proc", strconv.Itoa(pid), "status"), "VmRSS")
	if err != nil {
		return 0, err
	}
	return kibibytes(text)
}

// fileSystem returns the type of the file system dir lies on, as /proc/mounts names it.
func fileSystem(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "", err
	}
	return mountType(string(mounts), dir), nil
}

// mountType finds the type of the innermost mount that holds dir; "unknown" when there is none.
func mountType(mounts, dir string) string {
	best, kind := -1, "unknown"
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		at := strings.TrimSuffix(fields[1], "/")
		// A later mount on the same place hides the earlier one.
		if (dir == at || strings.HasPrefix(dir, at+"/")) && len(at) >= best {
			best, kind = len(at), fields[2]
		}
	}
	return kind
}
