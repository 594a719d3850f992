package vault

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Parameters of new password hashes: argon2id as OWASP recommends (decision D9).
const (
	argonMemory  = 19 * 1024 // KiB
	argonPasses  = 2
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonHash    = 32 // bytes
)

// Limits on the parameters of hashes made elsewhere, so that a stored text cannot make a
// login take minutes or gigabytes.
const (
	maxEncoded     = 512        // bytes of the whole text
	maxArgonMemory = 256 * 1024 // KiB
	maxArgonPasses = 64
	maxArgonWork   = 1024 * 1024 // memory times passes: about a second of one core
	maxArgonThread = 16
	minArgonSalt   = 8 // RFC 9106 section 3.1
	minArgonHash   = 16
	maxArgonBytes  = 64 // of salt, and of hash
)

// ErrHash means that a stored password hash is malformed, of an unknown kind, or beyond the
// limits. Such an account needs a new password; the caller's password is not at fault.
var ErrHash = errors.New("vault: not a usable password hash")

// argonID is a password hash, taken apart.
type argonID struct {
	memory, passes uint32
	threads        uint8
	salt, hash     []byte
}

// newArgonID hashes password with the parameters of this package.
func newArgonID(password string, salt []byte) argonID {
	a := argonID{memory: argonMemory, passes: argonPasses, threads: argonThreads, salt: salt}
	a.hash = a.derive(password, argonHash)
	return a
}

func (a argonID) derive(password string, size int) []byte {
	return argon2.IDKey([]byte(password), a.salt, a.passes, a.memory, a.threads, uint32(size))
}

// matches hashes password with the same parameters and compares in constant time.
func (a argonID) matches(password string) bool {
	return subtle.ConstantTimeCompare(a.derive(password, len(a.hash)), a.hash) == 1
}

// String writes the PHC string format:
// $argon2id$v=19$m=<KiB>,t=<passes>,p=<threads>$<salt>$<hash>, base64 without padding.
func (a argonID) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.passes, a.threads,
		base64.RawStdEncoding.EncodeToString(a.salt), base64.RawStdEncoding.EncodeToString(a.hash))
}

// parseArgonID reads what String writes and nothing else. Its errors wrap ErrHash and say
// what is wrong without quoting salt or hash.
func parseArgonID(encoded string) (argonID, error) {
	var a argonID
	if len(encoded) > maxEncoded {
		return a, fmt.Errorf("%w: longer than %d bytes", ErrHash, maxEncoded)
	}
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return a, fmt.Errorf("%w: not argon2id", ErrHash)
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return a, fmt.Errorf("%w: not version %d", ErrHash, argon2.Version)
	}
	if err := a.parseParameters(parts[3]); err != nil {
		return argonID{}, fmt.Errorf("%w: %w", ErrHash, err)
	}
	var err error
	if a.salt, err = decodeArgon(parts[4], minArgonSalt); err != nil {
		return argonID{}, fmt.Errorf("%w: salt: %w", ErrHash, err)
	}
	if a.hash, err = decodeArgon(parts[5], minArgonHash); err != nil {
		return argonID{}, fmt.Errorf("%w: hash: %w", ErrHash, err)
	}
	return a, nil
}

// parseParameters reads m=...,t=...,p=... and holds it to the limits.
func (a *argonID) parseParameters(s string) error {
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return errors.New("parameters are not m, t and p")
	}
	var values [3]uint32
	for i, spec := range []struct {
		name string
		max  uint64
	}{{"m=", maxArgonMemory}, {"t=", maxArgonPasses}, {"p=", maxArgonThread}} {
		digits, named := strings.CutPrefix(parts[i], spec.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !named || err != nil || strconv.FormatUint(n, 10) != digits {
			return fmt.Errorf("parameter %s is not a number", spec.name)
		}
		if n == 0 || n > spec.max {
			return fmt.Errorf("parameter %s%d is not in 1..%d", spec.name, n, spec.max)
		}
		values[i] = uint32(n)
	}
	a.memory, a.passes, a.threads = values[0], values[1], uint8(values[2])
	if a.memory < 8*uint32(a.threads) { // RFC 9106 section 3.1
		return errors.New("parameter m is less than 8 p")
	}
	if a.memory*a.passes > maxArgonWork {
		return fmt.Errorf("m times t is more than %d", maxArgonWork)
	}
	return nil
}

// decodeArgon reads base64 without padding of min to maxArgonBytes bytes.
func decodeArgon(s string, min int) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // the decoder would skip them
		return nil, errors.New("not base64")
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("not base64")
	}
	if len(b) < min || len(b) > maxArgonBytes {
		return nil, fmt.Errorf("%d bytes, not %d..%d", len(b), min, maxArgonBytes)
	}
	return b, nil
}
