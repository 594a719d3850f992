package systemuser

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Config is one system user as it is configured. The same struct serves YAML.
type Config struct {
	// Name identifies the user: 1 to 200 characters. It is used in lower case, and the tokens
	// of the user must spell it so (contract section 4).
	Name string `yaml:"name"`
	// Path names a file with the public key as PEM: PKIX, PKCS#1 or an X.509 certificate;
	// RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519. It is read again
	// at each reload, and wins over KeyData.
	Path string `yaml:"path"`
	// KeyData is the public key itself: PEM, or base64 (standard, padded) of PEM.
	KeyData string `yaml:"keyData"`
	// Memberships say what the user may do; none means SYSTEM_OWNER of the system.
	Memberships []MembershipConfig `yaml:"memberships"`
}

// MembershipConfig is one membership as it is configured.
type MembershipConfig struct {
	// MemberType is System, IAM (an instance) or Organization, in any case.
	MemberType string `yaml:"memberType"`
	// AggregateID is the id of the instance or organization; not used for System.
	AggregateID string `yaml:"aggregateId"`
	// Roles are names such as SYSTEM_OWNER. At least one.
	Roles []string `yaml:"roles"`
}

// maxConfig bounds the text that Parse takes, in bytes.
const maxConfig = 1 << 20

// Parse reads system users from one text, the value of CASTELLAN_SYSTEM_USERS:
//
//	name=/path/to/public.pem,name2=/path/to/other.pem
//
// or, beginning with { or [, JSON: an object of users by name, or a list of such objects
//
//	{"name": {"path": "…", "keyData": "…", "memberships":
//	  [{"memberType": "System", "aggregateId": "…", "roles": ["SYSTEM_OWNER"]}]}}
//
// whose member names may be in any case. An empty text means no users. Parse checks the form
// alone, see [Validate]; its error joins one error for each fault, naming user and field.
func Parse(config string) ([]Config, error) {
	text := strings.TrimSpace(config)
	switch {
	case text == "":
		return nil, nil
	case len(text) > maxConfig:
		return nil, fmt.Errorf("system users: longer than %d bytes", maxConfig)
	case text[0] == '{':
		return parseUsers([]byte(text))
	case text[0] == '[':
		return parseList([]byte(text))
	default:
		return parseShort(text)
	}
}

// parseShort reads name=path,name=path.
func parseShort(text string) ([]Config, error) {
	var (
		users  []Config
		faults []error
	)
	for i, part := range strings.Split(text, ",") {
		name, path, found := strings.Cut(part, "=")
		c := Config{Name: canonicalName(strings.TrimSpace(name)), Path: strings.TrimSpace(path)}
		if !found || c.Name == "" || c.Path == "" {
			faults = append(faults, fmt.Errorf("system users: entry %d is not name=path", i+1))
			continue
		}
		users = append(users, c)
	}
	return result(users, faults)
}

// parseList reads a list of objects of users by name.
func parseList(text []byte) ([]Config, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("system users: %w", err)
	}
	var (
		users  []Config
		faults []error
	)
	for i, entry := range list {
		some, err := parseUsers(entry)
		faults = append(faults, within(fmt.Sprintf("entry %d: ", i+1), err)...)
		users = append(users, some...)
	}
	return result(users, faults)
}

// parseUsers reads an object of users by name.
func parseUsers(text []byte) ([]Config, error) {
	entries, err := members(text)
	if err != nil {
		return nil, fmt.Errorf("system users: %w", err)
	}
	var (
		users  []Config
		faults []error
	)
	for _, e := range entries {
		c, err := parseUser(e.value)
		faults = append(faults, within(fmt.Sprintf("system user %.200q: ", e.name), err)...)
		c.Name = canonicalName(e.name)
		users = append(users, c)
	}
	return result(users, faults)
}

// parseUser reads the object of one user.
func parseUser(text []byte) (c Config, err error) {
	var list []json.RawMessage
	err = decode(text, map[string]any{"path": &c.Path, "keydata": &c.KeyData, "memberships": &list})
	faults := []error{err}
	for i, entry := range list {
		var m MembershipConfig
		err := decode(entry, map[string]any{
			"membertype": &m.MemberType, "aggregateid": &m.AggregateID, "roles": &m.Roles,
		})
		faults = append(faults, within(fmt.Sprintf("memberships[%d]: ", i), err)...)
		c.Memberships = append(c.Memberships, m)
	}
	return c, errors.Join(faults...)
}

// decode reads an object into fields by their names in lower case. A name that is not among
// them or comes twice is a fault.
func decode(text []byte, fields map[string]any) error {
	found, err := members(text)
	if err != nil {
		return err
	}
	var faults []error
	for _, m := range found {
		name := strings.ToLower(m.name)
		into, known := fields[name]
		if !known {
			faults = append(faults, fmt.Errorf("%.100q: unknown, or there twice", m.name))
			continue
		}
		delete(fields, name)
		if err := json.Unmarshal(m.value, into); err != nil {
			faults = append(faults, fmt.Errorf("%s: not of the expected type", m.name))
		}
	}
	return errors.Join(faults...)
}

// jsonMember is one member of a JSON object.
type jsonMember struct {
	name  string
	value json.RawMessage
}

// members returns the members of a JSON object in their order, repeated ones included, which
// encoding/json would drop without a word.
func members(text []byte) ([]jsonMember, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var found []jsonMember
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := jsonMember{name: t.(string)} // the decoder refuses any other key
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return found, nil
}

// result returns the users, or every fault there is and no user.
func result(users []Config, faults []error) ([]Config, error) {
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return users, nil
}

// within takes apart what errors.Join has joined, and says of each error where it happened.
func within(place string, err error) []error {
	var all []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, within(place, e)...)
		}
	} else if err != nil {
		all = append(all, fmt.Errorf("%s%w", place, err))
	}
	return all
}

// canonicalName is the form in which names are compared.
func canonicalName(name string) string { return strings.ToLower(name) }
