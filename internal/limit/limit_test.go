package limit

import (
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func TestSet(t *testing.T) {
	hour, day := new(time.Hour), new(24*time.Hour)
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "both", When: Set{AuditLogRetention: hour, Block: new(true)}.Decide,
			Then:  []eventlog.Payload{LimitsSet{AuditLogRetention: hour, Block: new(true)}},
			State: &State{AuditLogRetention: hour, Block: new(true)},
		},
		{
			Name: "zero values are values", When: Set{AuditLogRetention: new(time.Duration(0)), Block: new(false)}.Decide,
			Then:  []eventlog.Payload{LimitsSet{AuditLogRetention: new(time.Duration(0)), Block: new(false)}},
			State: &State{AuditLogRetention: new(time.Duration(0)), Block: new(false)},
		},
		{
			Name: "what is absent stays", Given: []eventlog.Payload{LimitsSet{AuditLogRetention: hour, Block: new(true)}},
			When: Set{Block: new(false)}.Decide, Then: []eventlog.Payload{LimitsSet{Block: new(false)}},
			State: &State{AuditLogRetention: hour, Block: new(false)},
		},
		{
			Name: "only what differs", Given: []eventlog.Payload{LimitsSet{AuditLogRetention: hour, Block: new(true)}},
			When: Set{AuditLogRetention: day, Block: new(true)}.Decide, Then: []eventlog.Payload{LimitsSet{AuditLogRetention: day}},
			State: &State{AuditLogRetention: day, Block: new(true)},
		},
		{
			Name: "the same", Given: []eventlog.Payload{LimitsSet{AuditLogRetention: hour, Block: new(true)}},
			When: Set{AuditLogRetention: new(time.Hour), Block: new(true)}.Decide,
		},
		{
			Name: "after a reset", Given: []eventlog.Payload{LimitsSet{Block: new(true)}, LimitsReset{}},
			When: Set{Block: new(true)}.Decide, Then: []eventlog.Payload{LimitsSet{Block: new(true)}},
			State: &State{Block: new(true)},
		},
		{
			Name: "nothing", Given: []eventlog.Payload{LimitsSet{Block: new(true)}}, When: Set{}.Decide,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "COMMAND-4M9vs", Fields: []string{"audit_log_retention"}},
		},
		{
			Name: "less than nothing", When: Set{AuditLogRetention: new(time.Duration(-1))}.Decide,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, Fields: []string{"audit_log_retention"}},
		},
	})
}

func TestReset(t *testing.T) {
	none := &logtest.Refusal{Kind: fault.NotFound, ID: "COMMAND-9JToT", Fields: []string{"instance_id"}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "limits", Given: []eventlog.Payload{LimitsSet{Block: new(false)}}, When: Reset{}.Decide,
			Then: []eventlog.Payload{LimitsReset{}}, State: &State{},
		},
		{Name: "none", When: Reset{}.Decide, Fault: none},
		{Name: "none any more", Given: []eventlog.Payload{LimitsSet{Block: new(true)}, LimitsReset{}}, When: Reset{}.Decide, Fault: none},
	})
}
