package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
	"go.yaml.in/yaml/v3"

	"castellan/internal/files"
	"castellan/internal/server"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
)

// configEnv names the configuration file.
const configEnv = envPrefix + "CONFIG"

// maxConfigFile bounds the configuration file, in bytes.
const maxConfigFile = 1 << 20

// sources are the places settings are taken from, beside the file they may name.
type sources struct {
	environ map[string]string
	flags   map[string]string // by name, those that were given
}

// configuration is a server.Config whose values are known to be right.
type configuration struct {
	server.Config
	// given tells, by key, how the operator named a setting: --flag, VARIABLE or file:line: key.
	given map[string]string
	// warnings are sentences about what is probably a mistake.
	warnings []string
}

// configError is everything that is wrong with a configuration.
type configError []error

func (e configError) Error() string {
	if len(e) == 1 {
		return fmt.Sprintf("configuration: %v", e[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %d faults:", len(e))
	for _, fault := range e {
		fmt.Fprintf(&b, "\n  %v", fault)
	}
	return b.String()
}

// load lays the sources over base, flags over environment over file, and returns every fault
// at once, as one [terminal.Usage] error.
func (s sources) load(base server.Config) (configuration, error) {
	c := configuration{Config: base, given: make(map[string]string)}
	var faults []error
	if path, name := s.file(); path != "" {
		faults = c.applyFile(path, name)
	}
	// Flags are read as variables of a higher rank, so one parser knows all types.
	values, names := s.merge()
	maps.Copy(c.given, names)
	faults = append(faults, applyValues(&c.Config, values, names)...)
	faults = append(faults, c.applySystemUsers(values)...)
	for _, fault := range flatten(c.Validate()) {
		faults = append(faults, c.rename(fault))
	}
	if len(faults) > 0 {
		return configuration{}, terminal.Usage(configError(faults))
	}
	c.warnings = unknownVariables(s.environ)
	return c, nil
}

// merge returns the values of flags and environment by the name of the variable, and how each
// was given by its key in the file.
func (s sources) merge() (values, given map[string]string) {
	values, given = make(map[string]string), make(map[string]string)
	for _, x := range settings {
		if text := s.environ[x.env]; text != "" {
			values[x.env], given[x.key] = text, x.env
		}
		if text := s.flags[x.flag]; text != "" {
			values[x.env], given[x.key] = text, "--"+x.flag
		}
	}
	return values, given
}

// applyValues reads values, by variable, into cfg. given names the settings in its faults, by key.
func applyValues(cfg *server.Config, values, given map[string]string) (faults []error) {
	err := env.ParseWithOptions(cfg, env.Options{Environment: values})
	for _, fault := range flatten(err) {
		var unread env.ParseError
		if !errors.As(fault, &unread) {
			faults = append(faults, fault)
			continue
		}
		x, _ := findSetting(func(x setting) bool { return x.field == unread.Name })
		faults = append(faults, fmt.Errorf("%s: must be %s, not %.100q", given[x.key], x.rule(), values[x.env]))
	}
	return faults
}

// applySystemUsers reads the users that flags or environment list; they replace those of the file.
func (c *configuration) applySystemUsers(values map[string]string) (faults []error) {
	text, ok := values[systemUsersEnv]
	if !ok {
		return nil
	}
	users, err := systemuser.Parse(text)
	if err == nil {
		c.SystemUsers = users
	}
	for _, fault := range flatten(err) {
		rest := strings.TrimPrefix(fault.Error(), "system users: ")
		faults = append(faults, fmt.Errorf("%s: %s", c.given["systemUsers"], rest))
	}
	return faults
}

// rename returns a fault that begins with the keys of settings as one that begins with the
// names the operator gave them.
func (c *configuration) rename(fault error) error {
	if given := c.given["systemUsers"]; given != "" && strings.HasPrefix(fault.Error(), "system user ") {
		return fmt.Errorf("%s: %w", given, fault)
	}
	keys, rest, ok := strings.Cut(fault.Error(), ": ")
	if !ok {
		return fault
	}
	names := strings.Split(keys, ", ")
	for i, key := range names {
		if _, known := findSetting(func(x setting) bool { return x.key == key }); !known {
			return fault
		}
		if name := c.given[key]; name != "" {
			names[i] = name
		}
	}
	return fmt.Errorf("%s: %s", strings.Join(names, ", "), rest)
}

// file returns the path of the configuration file, empty when there is none, and who named it.
func (s sources) file() (path, givenBy string) {
	if path := s.flags["config"]; path != "" {
		return path, "--config"
	}
	return s.environ[configEnv], configEnv
}

// applyFile reads the configuration file that givenBy names.
func (c *configuration) applyFile(path, givenBy string) (faults []error) {
	text, err := files.Read(path, maxConfigFile)
	if err != nil {
		return []error{fmt.Errorf("%s: %w", givenBy, err)}
	}
	return c.applyYAML(path, text)
}

// applyYAML reads the text of a configuration file called name.
func (c *configuration) applyYAML(name string, text []byte) []error {
	keys := topKeys(text)
	for _, k := range keys {
		c.given[k.name] = fmt.Sprintf("%s:%d: %s", name, k.line, k.name)
	}
	// What the file leaves out keeps the value it has in c.
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	switch err := decoder.Decode(&c.Config); {
	case errors.Is(err, io.EOF):
		return nil // empty, or comments only
	case err != nil:
		return yamlFaults(name, keys, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return []error{fmt.Errorf("%s: must hold one YAML document, not several", name)}
	}
	return nil
}

// What package yaml says about a value it cannot use, and about a key nobody knows.
var (
	yamlMistyped = regexp.MustCompile("(?s)^line ([0-9]+): cannot unmarshal !!\\S* (?:`(.*)` )?into .*$")
	yamlUnknown  = regexp.MustCompile(`(?s)^line ([0-9]+): field (.*) not found in type (\S+)$`)
	yamlPlace    = regexp.MustCompile(`(?s)^line ([0-9]+): (.*)$`)
)

// yamlFaults says in an operator's terms what package yaml says in those of Go.
func yamlFaults(name string, keys []topKey, err error) (faults []error) {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		message := strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlPlace.FindStringSubmatch(message); m != nil {
			return []error{fmt.Errorf("%s:%s: %s", name, m[1], m[2])}
		}
		return []error{fmt.Errorf("%s: %s", name, message)}
	}
	for _, message := range wrong.Errors {
		if m := yamlUnknown.FindStringSubmatch(message); m != nil {
			faults = append(faults, fmt.Errorf("%s:%s: unknown setting %.100q%s", name, m[1], m[2], suggestKey(m[2], m[3])))
			continue
		}
		if m := yamlMistyped.FindStringSubmatch(message); m != nil {
			faults = append(faults, mistyped(fmt.Sprintf("%s:%s", name, m[1]), keys, m[1], m[2]))
			continue
		}
		if m := yamlPlace.FindStringSubmatch(message); m != nil {
			message = m[1] + ": " + m[2]
		}
		faults = append(faults, fmt.Errorf("%s:%s", name, message))
	}
	return faults
}

// mistyped is the fault of a value on the given line that is not of the type of its setting.
func mistyped(place string, keys []topKey, line, value string) error {
	n, _ := strconv.Atoi(line) // matched digits; too many of them are past every key
	for _, k := range slices.Backward(keys) {
		if k.line > n {
			continue
		}
		x, known := findSetting(func(x setting) bool { return x.key == k.name })
		if !known {
			break
		}
		if value != "" {
			value = fmt.Sprintf(", not %.100q", value)
		}
		return fmt.Errorf("%s: %s: must be %s%s", place, k.name, x.rule(), value)
	}
	return fmt.Errorf("%s: must hold the names of settings and their values", place)
}

// topKey is a key of the outermost mapping of a file.
type topKey struct {
	name string
	line int
}

// topKeys returns the keys of the outermost mapping, in the order of the file; none when the
// text is no YAML.
func topKeys(text []byte) (keys []topKey) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil || len(document.Content) == 0 {
		return nil
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(top.Content); i += 2 {
		keys = append(keys, topKey{top.Content[i].Value, top.Content[i].Line})
	}
	return keys
}

// suggestKey proposes the setting that an unknown key of the outermost mapping was meant to be.
func suggestKey(key, in string) string {
	if in != "server.Config" {
		return ""
	}
	var known []string
	for _, x := range settings {
		known = append(known, x.key)
	}
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// clientVariables are those of the client commands.
var clientVariables = []string{serverEnv, keyEnv, userEnv, tokenEnv, configEnv}

// unknownVariables warns of names that begin like ours and are none: a setting spelled wrong
// would else be left out without a word.
func unknownVariables(environ map[string]string) (warnings []string) {
	var known []string // without the prefix, which would make everything look alike
	for _, name := range clientVariables {
		known = append(known, strings.TrimPrefix(name, envPrefix))
	}
	for _, x := range settings {
		known = append(known, strings.TrimPrefix(x.env, envPrefix))
	}
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours || slices.Contains(known, rest) {
			continue
		}
		warning := fmt.Sprintf("the environment has %.100s, which is no setting", name)
		if near := nearest(rest, known); near != "" {
			warning += fmt.Sprintf("; did you mean %s%s?", envPrefix, near)
		}
		warnings = append(warnings, warning)
	}
	return warnings
}

// nearest returns the known name most like name, if one is near enough to be meant.
func nearest(name string, known []string) (best string) {
	least := 2 + len(name)/4
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k), least); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters must be added, removed or replaced to turn a into b
// (Levenshtein), or at least limit when the lengths alone say that it is that much.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); max(d, -d) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// flatten takes apart what errors.Join and its like have joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
