package main

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// walOf makes a write-ahead log with one frame for each commit size; 0 is a frame in the
// midst of a transaction. Frames from stale on are of an earlier time.
func walOf(stale int, sizes ...uint32) []byte {
	const page = 512
	b := binary.BigEndian.AppendUint32(nil, walMagic|1)
	b = binary.BigEndian.AppendUint32(b, 3007000)
	b = binary.BigEndian.AppendUint32(b, page)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, 42)
	b = append(b, make([]byte, 8)...)
	for i, size := range sizes {
		salt := uint64(42)
		if i >= stale {
			salt = 41
		}
		b = binary.BigEndian.AppendUint32(b, 7)
		b = binary.BigEndian.AppendUint32(b, size)
		b = binary.BigEndian.AppendUint64(b, salt)
		b = append(b, make([]byte, 8+page)...)
	}
	return b
}

func TestScanWALCountsFramesAndCommits(t *testing.T) {
	for _, c := range []struct {
		name            string
		log             []byte
		frames, commits int
	}{
		{"empty", nil, 0, 0},
		{"header alone", walOf(0), 0, 0},
		{"two transactions", walOf(9, 0, 0, 5, 0, 6), 5, 2},
		{"the end of an earlier log", walOf(3, 0, 5, 6, 0, 7), 3, 2},
		{"cut in the midst", walOf(9, 5, 5)[:walHeader+2*(frameHeader+512)-512-1], 1, 1},
	} {
		w, err := scanWAL(bytes.NewReader(c.log))
		if err != nil || w.frames != c.frames || w.commits != c.commits {
			t.Errorf("%s: %d frames, %d commits, error %v; want %d and %d", c.name, w.frames, w.commits, err, c.frames, c.commits)
		}
	}
}

func TestScanWALRefusesOtherFiles(t *testing.T) {
	wide := walOf(0)
	binary.BigEndian.PutUint32(wide[8:], 1<<17)
	for name, log := range map[string][]byte{"text": bytes.Repeat([]byte("x"), 64), "short": walOf(0)[:20], "huge pages": wide} {
		if w, err := scanWAL(bytes.NewReader(log)); err == nil {
			t.Errorf("%s was read as %+v", name, w)
		}
	}
}

func FuzzScanWAL(f *testing.F) {
	f.Add(walOf(9, 0, 5))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, log []byte) {
		if len(log) > 1<<20 {
			t.Skip("larger than needed to reach every branch")
		}
		w, err := scanWAL(bytes.NewReader(log))
		if err == nil && (w.commits > w.frames || w.frames > len(log)/frameHeader) {
			t.Errorf("%+v of %d bytes", w, len(log))
		}
	})
}

func TestGauge(t *testing.T) {
	metrics := []byte("# TYPE castellan_key_pool_keys gauge\ncastellan_key_pool_keys 16\ncastellan_key_pool_keys_more 3\nbad x\n")
	if v, ok := gauge(metrics, poolMetric); !ok || v != 16 {
		t.Errorf("%v, %v; want 16", v, ok)
	}
	for _, name := range []string{"castellan_key", "bad"} {
		if v, ok := gauge(metrics, name); ok {
			t.Errorf("%s is %v", name, v)
		}
	}
}

func TestKibibytes(t *testing.T) {
	if n, err := kibibytes("12 kB"); err != nil || n != 12288 {
		t.Errorf("%d, %v; want 12288", n, err)
	}
	if n, err := kibibytes("many"); err == nil {
		t.Errorf("many is %d", n)
	}
}

func TestMountType(t *testing.T) {
	const mounts = "/dev/sda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/sdb /tmp/disk xfs rw 0 0\nbroken\n"
	for dir, want := range map[string]string{
		"/": "ext4", "/home/x": "ext4", "/tmp": "tmpfs", "/tmp/x": "tmpfs", "/tmp/disk/x": "xfs", "/tmpx": "ext4",
	} {
		if got := mountType(mounts, dir); got != want {
			t.Errorf("%s lies on %s, want %s", dir, got, want)
		}
	}
	if got := mountType("", "/x"); got != "unknown" {
		t.Errorf("without mounts: %s", got)
	}
}
