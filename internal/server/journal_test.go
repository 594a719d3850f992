package server

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/journal"
	"castellan/internal/systemuser"
)

// Somebody has decided about every field of every event whether those who read the log of an instance
// see it. What belongs to no instance is in no such log.
func TestEveryEventIsDecidedAbout(t *testing.T) {
	known := make(map[string]bool)
	for _, d := range eventlog.New(nil, nil, nil, Nouns()...).Declared() {
		typ := d.Payload.EventType()
		if d.Aggregate == systemuser.AggregateType {
			continue
		}
		known[typ] = true
		decision, decided := journal.Decisions[typ]
		if !decided {
			t.Errorf("internal/journal/shown.tsv has no line for %s: which of its fields may leave the log?", typ)
			continue
		}
		fields := fieldsOf(reflect.TypeOf(d.Payload))
		decidedFields := append(slices.Clone(decision.Shown), decision.Hidden...)
		for _, name := range fields {
			if !slices.Contains(decidedFields, name) {
				t.Errorf("internal/journal/shown.tsv does not say whether %s shows %s", typ, name)
			}
		}
		for _, name := range decidedFields {
			if !slices.Contains(fields, name) {
				t.Errorf("internal/journal/shown.tsv decides about %s of %s, which has no such field", name, typ)
			}
		}
	}
	for typ := range journal.Decisions {
		if !known[typ] {
			t.Errorf("internal/journal/shown.tsv decides about %s, which no noun declares", typ)
		}
	}
}

// fieldsOf returns the names under which the fields of a payload are stored.
func fieldsOf(payload reflect.Type) (names []string) {
	for i := range payload.NumField() {
		f := payload.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Pointer:
			names = append(names, fieldsOf(f.Type.Elem())...)
		case f.Anonymous && name == "":
			names = append(names, fieldsOf(f.Type)...)
		case name == "":
			names = append(names, f.Name)
		case name != "-":
			names = append(names, name)
		}
	}
	return names
}
