package vault

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxBcryptCost bounds what an imported hash can make a login cost: 14 is what the reference uses
// (contract section 8), and takes one and a half seconds of a core.
const maxBcryptCost = 14

// passwordHash is a hash of a kind that is known.
type passwordHash interface {
	// matches reports whether it is one of password, in a time that does not tell how nearly.
	matches(password string) bool
}

// CheckHash returns nil when passwords can be compared with a hash that was made elsewhere: argon2id in
// the PHC string format within the limits of this package, or bcrypt with a cost of at most 14
// (decision D9). Otherwise it returns ErrHash, with a reason that quotes nothing secret.
func CheckHash(encoded string) error {
	_, err := parseHash(encoded)
	return err
}

// parseHash tells the kinds of hashes apart.
func parseHash(encoded string) (passwordHash, error) {
	if strings.HasPrefix(encoded, "$2") {
		return parseBcrypt(encoded)
	}
	return parseArgonID(encoded)
}

// bcryptHash is a hash in the modular crypt format: $2a$, $2b$ or $2y$, the cost, and 53 characters.
type bcryptHash string

const bcryptSize = 60

func parseBcrypt(encoded string) (bcryptHash, error) {
	if len(encoded) != bcryptSize || strings.IndexByte("aby", encoded[2]) < 0 {
		return "", fmt.Errorf("%w: not bcrypt of 60 characters", ErrHash)
	}
	cost, err := bcrypt.Cost([]byte(encoded))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrHash, err)
	}
	if cost > maxBcryptCost {
		return "", fmt.Errorf("%w: a bcrypt cost of %d is more than %d", ErrHash, cost, maxBcryptCost)
	}
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if strings.Trim(encoded[7:], alphabet) != "" {
		return "", fmt.Errorf("%w: not the alphabet of bcrypt", ErrHash)
	}
	return bcryptHash(encoded), nil
}

// matches implements passwordHash. bcrypt knows the first 72 bytes of a password alone, which is what those
// who made the hash have compared.
func (b bcryptHash) matches(password string) bool {
	const limit = 72
	err := bcrypt.CompareHashAndPassword([]byte(b), []byte(password)[:min(len(password), limit)])
	return err == nil
}
