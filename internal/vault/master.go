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
)

// masterPrefix begins the line of a key file that this package wrote. A file of another
// origin may leave it out.
const masterPrefix = "castellan-master-key-v1:"

// maxMasterFile bounds what is read of a key file, in bytes.
const maxMasterFile = 4096

// MasterKey seals the keys of instances. Losing it loses everything they sealed.
type MasterKey struct {
	sealer
	id [masterIDSize]byte
}

// masterIDSize is the length of a master key's id, which is stored beside what it sealed so
// that a wrong master key is told from damaged data.
const masterIDSize = 8

// NewMasterKey returns the master key of the given bytes. random makes nonces; nil is the
// system's source.
func NewMasterKey(key [KeySize]byte, random io.Reader) *MasterKey {
	m := &MasterKey{sealer: newSealer(&key, random)}
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("castellan master key id"))
	copy(m.id[:], mac.Sum(nil))
	return m
}

// LoadMasterKey reads the master key from the file at path: one line, base64 of 32 bytes,
// optionally after "castellan-master-key-v1:". When there is no file it makes a key and
// writes it, mode 0600, into a directory it creates with mode 0700 if need be. Of several
// processes that start at once exactly one writes, and all return the same key.
//
// random makes the key and nonces; nil is the system's source. It returns an error when the
// file is not regular, when group or others may read or write it, or when it is malformed.
func LoadMasterKey(path string, random io.Reader) (*MasterKey, error) {
	key, err := readMasterKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createMasterKey(path, orCrypto(random)); err != nil {
			return nil, fmt.Errorf("create the master key %s: %w", path, err)
		}
		key, err = readMasterKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", path, err)
	}
	return NewMasterKey(key, random), nil
}

// readMasterKey reads and checks the file.
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
	return parseMasterKey(text)
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
// link never replaces a file, so no other process reads half a key or a second one.
func createMasterKey(path string, random io.Reader) error {
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
	_, err = f.WriteString(masterPrefix + base64.StdEncoding.EncodeToString(key[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return syncDir(dir)
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
