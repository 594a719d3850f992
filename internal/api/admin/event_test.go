package admin

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/journal"

	adminv1 "castellan/gen/zitadel/admin/v1"
)

func timestampOf(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

func TestLocalized(t *testing.T) {
	for name, want := range map[string]string{
		"user.machine.added":         "User machine added",
		"instance.trusted_domains.x": "Instance trusted domains x",
		"":                           "",
	} {
		if got := localized("EventTypes.", name); got.GetKey() != "EventTypes."+name || got.GetLocalizedMessage() != want {
			t.Errorf("%q is %v", name, got)
		}
	}
}

// What is no JSON object is a mistake of ours, and no event.
func TestEventOfNonsense(t *testing.T) {
	if got, err := eventOf(journal.Entry{Shown: []byte("[")}); err == nil {
		t.Errorf("got %v", got)
	}
}

func TestDates(t *testing.T) {
	at, later := time.Unix(1000, 0).UTC(), time.Unix(2000, 0).UTC()
	from := &adminv1.ListEventsRequest_From{From: timestampOf(at)}
	bad := &timestamppb.Timestamp{Nanos: -1}
	for _, c := range []struct {
		req           *adminv1.ListEventsRequest
		after, before time.Time
		field         string
	}{
		{req: &adminv1.ListEventsRequest{}},
		{req: &adminv1.ListEventsRequest{CreationDateFilter: from}, before: at},
		{req: &adminv1.ListEventsRequest{CreationDateFilter: from, Asc: true}, after: at},
		{req: &adminv1.ListEventsRequest{CreationDate: timestampOf(later), CreationDateFilter: from, Asc: true}, after: at},
		{req: &adminv1.ListEventsRequest{CreationDate: timestampOf(at), Asc: true}, after: at},
		{
			req: &adminv1.ListEventsRequest{CreationDateFilter: &adminv1.ListEventsRequest_Range{Range: &adminv1.ListEventsRequestCreationDateRange{
				Since: timestampOf(at), Until: timestampOf(later),
			}}}, after: at, before: later,
		},
		{req: &adminv1.ListEventsRequest{CreationDateFilter: &adminv1.ListEventsRequest_From{From: bad}}, field: "from"},
		{req: &adminv1.ListEventsRequest{CreationDate: bad}, field: "creation_date"},
		{req: &adminv1.ListEventsRequest{CreationDateFilter: &adminv1.ListEventsRequest_Range{Range: &adminv1.ListEventsRequestCreationDateRange{Since: bad}}}, field: "range.since"},
		{req: &adminv1.ListEventsRequest{CreationDateFilter: &adminv1.ListEventsRequest_Range{Range: &adminv1.ListEventsRequestCreationDateRange{Until: bad}}}, field: "range.until"},
	} {
		var query eventlog.Query
		err := dates(&query, c.req)
		if c.field != "" {
			if f := fault.Of(err); f == nil || f.Kind != fault.InvalidArgument || f.Violations[0].Field != c.field {
				t.Errorf("%v: %v", c.req, err)
			}
			continue
		}
		if err != nil || !query.After.Equal(c.after) || !query.Before.Equal(c.before) {
			t.Errorf("%v: after %v, before %v, %v", c.req, query.After, query.Before, err)
		}
	}
}
