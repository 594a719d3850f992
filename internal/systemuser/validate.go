package systemuser

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"castellan/internal/assertion"
	"castellan/internal/ident"
	"castellan/internal/role"
)

// maxName is the length of the longest name, in characters.
const maxName = 200

// Validate reads every key and checks every user. Its error joins one error for each fault,
// naming user and field; nil means that [NewRegistry] and [Registry.Reload] would take them.
func Validate(users []Config) error {
	_, err := compile(users)
	return err
}

// user is a system user, ready for use.
type user struct {
	caller Caller
	keys   []publicKey // the one that counts now, then the one it has replaced, if any
}

// compile turns the configuration into users by name, or reports every fault.
func compile(configs []Config) (map[string]*user, error) {
	users := make(map[string]*user, len(configs))
	var faults []error
	for _, c := range configs {
		u, err := c.compile()
		name := string(u.caller.Name)
		if _, twice := users[name]; twice {
			err = errors.Join(err, errors.New("name: is there twice"))
		}
		users[name] = u
		faults = append(faults, within(fmt.Sprintf("system user %.200q: ", name), err)...)
	}
	return users, errors.Join(faults...)
}

// compile checks one user. What it returns beside an error has the name, for the report.
func (c *Config) compile() (*user, error) {
	u := &user{caller: Caller{Name: ident.Actor(canonicalName(c.Name))}}
	faults := []error{checkName(c.Name)}
	pem, field, err := c.readKey()
	var key assertion.Key
	if err == nil {
		key, err = assertion.ParseKey(pem)
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", field, err))
	}
	u.keys = []publicKey{{Key: key}}
	for i := range c.Memberships {
		m, err := c.Memberships[i].compile()
		faults = append(faults, within(fmt.Sprintf("memberships[%d].", i), err)...)
		u.caller.Memberships = append(u.caller.Memberships, m)
	}
	if len(c.Memberships) == 0 {
		u.caller.Memberships = []Membership{{Type: System, Roles: []string{"SYSTEM_OWNER"}}}
	}
	return u, errors.Join(faults...)
}

func checkName(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case n == 0 || n > maxName:
		return fmt.Errorf("name: has %d characters, not 1 to %d", n, maxName)
	case !utf8.ValidString(name):
		return errors.New("name: is not UTF-8")
	case strings.TrimSpace(name) != name:
		return errors.New("name: begins or ends with a space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("name: has a control character")
	}
	return nil
}

// readKey returns the PEM of the user's key, and the name of the field it is from.
func (c *Config) readKey() (pem []byte, field string, err error) {
	switch {
	case c.Path != "":
		pem, err = readFile(c.Path)
		return pem, "path", err
	case strings.Contains(c.KeyData, "-----BEGIN"):
		pem = []byte(c.KeyData)
	case c.KeyData != "":
		// Values from files and templates often end in, or are wrapped by, line breaks.
		if pem, err = base64.StdEncoding.DecodeString(strings.TrimSpace(c.KeyData)); err != nil {
			return nil, "keyData", errors.New("is neither PEM nor base64 of PEM")
		}
	default:
		return nil, "path", errors.New("is empty, and so is keyData: the user has no key")
	}
	if len(pem) > assertion.MaxKeyFile {
		return nil, "keyData", fmt.Errorf("is longer than %d bytes", assertion.MaxKeyFile)
	}
	return pem, "keyData", nil
}

// readFile reads a file of at most assertion.MaxKeyFile bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, assertion.MaxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > assertion.MaxKeyFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, assertion.MaxKeyFile)
	}
	return text, nil
}

// compile checks one membership.
func (c *MembershipConfig) compile() (Membership, error) {
	m := Membership{AggregateID: c.AggregateID, Roles: c.Roles}
	var faults []error
	switch name := strings.ToLower(c.MemberType); name {
	case "system":
		m.Type, m.AggregateID = System, ""
	case "iam", "organization":
		m.Type = memberTypes[name]
	case "project", "projectgrant":
		faults = append(faults, fmt.Errorf("memberType: %s is not possible for system users", c.MemberType))
	default:
		faults = append(faults, fmt.Errorf("memberType: %.100q is not System, IAM or Organization", c.MemberType))
	}
	return m, errors.Join(append(faults, m.check())...)
}

// check checks everything about a membership but its type. Its error joins one error for each
// fault.
func (m *Membership) check() error {
	var faults []error
	if (m.Type == IAM || m.Type == Organization) && m.AggregateID == "" {
		faults = append(faults, errors.New("aggregateId: is empty"))
	}
	if len(m.Roles) == 0 {
		faults = append(faults, errors.New("roles: is empty"))
	}
	for _, name := range m.Roles {
		switch {
		case !role.System.Known(name) && !role.Instance.Known(name):
			faults = append(faults, fmt.Errorf("roles: %.100q is unknown", name))
		case m.Type == Organization && strings.HasPrefix(name, "SYSTEM_"):
			// Which organization a call is about is said by its caller, in a header, so this
			// would be SYSTEM_OWNER of everything.
			faults = append(faults, fmt.Errorf("roles: %s cannot be limited to an organization", name))
		}
	}
	return errors.Join(faults...)
}
