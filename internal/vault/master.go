package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// masterPrefix begins the line of a key file that this package wrote. A file of another
// origin may leave it out.
const masterPrefix = "castellan-master-key-v1:"

// maxMasterFile bounds what is read of a key file, in bytes.
const maxMasterFile = 4096

// MasterKey seals the keys of instances. Losing it loses everything they sealed.
type MasterKey struct {
	sealer
	id        [masterIDSize]byte
	positions [KeySize]byte // the key of Positions
	bearers   [KeySize]byte // the key of Bearers
}

// masterIDSize is the length of a master key's id, which is stored beside what it sealed so
// that a wrong master key is told from damaged data.
const masterIDSize = 8

// NewMasterKey returns the master key of the given bytes. random makes nonces; nil is the
// system's source.
func NewMasterKey(key [KeySize]byte, random io.Reader) *MasterKey {
	m := &MasterKey{sealer: newSealer(&key, random), positions: positionKey(&key), bearers: bearerKey(&key)}
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("castellan master key id"))
	copy(m.id[:], mac.Sum(nil))
	return m
}

// LoadMasterKey reads the master key from the file at path: one line, base64 of 32 bytes,
// optionally after "castellan-master-key-v1:". When there is no file it makes a key and
// writes it, mode 0600, into a directory it creates with mode 0700 if need be. Of several
// processes that start at once exactly one writes, and all return the same key. Where the file
// system has no hard links, they may wait up to patience for the one that writes.
//
// random makes the key and nonces; nil is the system's source. It returns an error when the
// file is not regular, when group or others may read or write it, or when it is malformed.
func LoadMasterKey(path string, random io.Reader) (*MasterKey, error) {
	return loadMasterKey(path, random, os.Link, waiter(patience))
}

// loadMasterKey is LoadMasterKey with its way to make hard links, and to wait: wait returns after
// a moment, and false when there has been enough of it.
func loadMasterKey(path string, random io.Reader, link func(old, path string) error, wait func() bool) (*MasterKey, error) {
	key, err := readMasterKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createMasterKey(path, orCrypto(random), link); err != nil {
			return nil, fmt.Errorf("create the master key %s: %w", path, err)
		}
		key, err = readMasterKey(path)
	}
	for errors.Is(err, errUnfinished) && wait() {
		key, err = readMasterKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", path, err)
	}
	return NewMasterKey(key, random), nil
}

const (
	// patience is how long a process that writes a key may take from its first byte to its last.
	patience = 5 * time.Second
	// glance is how often a file that is being written is looked at.
	glance = 20 * time.Millisecond
)

// waiter returns a function that waits for a glance, and returns false once it has done so for limit.
func waiter(limit time.Duration) func() bool {
	return func() bool {
		if limit < glance {
			return false
		}
		limit -= glance
		<-time.NewTimer(glance).C
		return true
	}
}

// errUnfinished means that a file holds the beginning of what writeMasterKey writes.
var errUnfinished = errors.New("empty, or ends in the middle: a process was stopped while it made the key, " +
	"so nothing was sealed with it; remove the file to have another made")

// readMasterKey reads and checks the file. It returns errUnfinished for one that may be in the
// making.
func readMasterKey(path string) (key [KeySize]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return key, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return key, err
	}
	if !info.Mode().IsRegular() {
		return key, errors.New("not a regular file")
	}
	// Windows reports made-up permission bits.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return key, fmt.Errorf("its mode %04o lets others at it; run: chmod 600 %s", mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxMasterFile+1))
	if err != nil {
		return key, err
	}
	key, err = parseMasterKey(text)
	if err != nil && unfinished(string(text)) {
		err = errUnfinished
	}
	return key, err
}

// unfinished reports whether text is less than the line of a key that this package writes.
func unfinished(text string) bool {
	begun := strings.HasPrefix(text, masterPrefix) || strings.HasPrefix(masterPrefix, text)
	return begun && !strings.Contains(text, "\n") && len(text) < len(masterPrefix)+base64.StdEncoding.EncodedLen(KeySize)
}

// parseMasterKey reads the content of a key file. Its errors never quote it.
func parseMasterKey(text []byte) (key [KeySize]byte, err error) {
	if len(text) > maxMasterFile {
		return key, fmt.Errorf("longer than %d bytes", maxMasterFile)
	}
	line := strings.TrimPrefix(strings.TrimSpace(string(text)), masterPrefix)
	if line == "" {
		return key, errors.New("empty")
	}
	if strings.ContainsAny(line, "\r\n") {
		return key, errors.New("more than one line")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil {
		return key, errors.New("not base64 (standard alphabet, padded)")
	}
	if len(raw) != KeySize {
		return key, fmt.Errorf("holds %d bytes, not %d", len(raw), KeySize)
	}
	return [KeySize]byte(raw), nil
}

// createMasterKey writes a new key to path, unless a file has appeared there meanwhile. The
// key is complete and on disk under a name of its own before it is linked to path, and a
// link never replaces a file, so no other process reads half a key or a second one. Where link
// says that there are no hard links, the file is made in its place: no other process can make
// it a second time, and those that read half a key can tell.
func createMasterKey(path string, random io.Reader, link func(old, path string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	var key [KeySize]byte
	mustRead(random, key[:])
	line := masterPrefix + base64.StdEncoding.EncodeToString(key[:]) + "\n"
	if err := writeMasterKey(f, line); err != nil {
		return err
	}
	err = link(f.Name(), path)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) { // the latter from FAT, see link(2)
		err = placeMasterKey(path, line)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// placeMasterKey makes a file at path that holds line. It returns fs.ErrExist when there is one.
func placeMasterKey(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := writeMasterKey(f, line); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// writeMasterKey writes line to f, sees to it that it is on disk, and closes f.
func writeMasterKey(f *os.File, line string) error {
	_, err := f.WriteString(line)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes a new name in dir durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
