package journal

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"castellan/internal/eventlog"
)

// Decision is what has been decided about an event: which of its fields are shown, by their JSON names,
// and which are not.
type Decision struct {
	Shown, Hidden []string
}

// Decisions are those of shown.tsv, by the type of the event. Each line has the type, the fields that are
// shown and those that are not, separated by tabs, and in them names separated by spaces. Secrets, their
// hashes and sealed keys are hidden, and so is where and what messages of the operator are sent.
var Decisions = mustParse(shownTSV)

//go:embed shown.tsv
var shownTSV string

// parse reads a table of decisions. A line that is not of the form, or is there twice, is an error.
func parse(tsv string) (map[string]Decision, error) {
	all := make(map[string]Decision)
	for i, line := range strings.Split(strings.TrimSuffix(tsv, "\n"), "\n") {
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || fields[0] == "" {
			return nil, fmt.Errorf("journal: line %d is not an event and two lists of fields: %q", i+1, line)
		}
		if _, twice := all[fields[0]]; twice {
			return nil, fmt.Errorf("journal: line %d decides about %s again", i+1, fields[0])
		}
		d := Decision{Shown: strings.Fields(fields[1]), Hidden: strings.Fields(fields[2])}
		for _, name := range d.Hidden {
			if slices.Contains(d.Shown, name) {
				return nil, fmt.Errorf("journal: line %d shows and hides %s", i+1, name)
			}
		}
		all[fields[0]] = d
	}
	return all, nil
}

// mustParse is parse for the embedded table, where an error is a mistake of the program.
func mustParse(tsv string) map[string]Decision {
	all, err := parse(tsv)
	if err != nil {
		panic(err)
	}
	return all
}

// shown returns the fields of a payload that are shown, as a JSON object; nil when there are none.
func shown(p eventlog.Payload) (json.RawMessage, error) {
	if p == nil {
		return nil, nil
	}
	allowed := Decisions[p.EventType()].Shown
	if len(allowed) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("show %s: %w", p.EventType(), err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("show %s: %w", p.EventType(), err)
	}
	for name := range all {
		if !slices.Contains(allowed, name) {
			delete(all, name)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return json.Marshal(all)
}
