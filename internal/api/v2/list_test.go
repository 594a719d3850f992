package v2

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/search"

	filterv2 "castellan/gen/zitadel/filter/v2"
	objectv2 "castellan/gen/zitadel/object/v2"
)

func TestPage(t *testing.T) {
	for _, c := range []struct {
		asked Pagination
		want  search.Page
		id    string
	}{
		{(*filterv2.PaginationRequest)(nil), search.Page{Limit: 100}, ""},
		{(*objectv2.ListQuery)(nil), search.Page{Limit: 100}, ""},
		{&objectv2.ListQuery{Offset: 7, Limit: 1000, Asc: true}, search.Page{Offset: 7, Limit: 1000, Ascending: true}, ""},
		{&filterv2.PaginationRequest{Limit: 1001}, search.Page{}, "QUERY-4M0fs"},
	} {
		got, err := Page("pagination", c.asked)
		if got != c.want || (err == nil) != (c.id == "") || err != nil && fault.Of(err).ID != c.id {
			t.Errorf("%v: %+v, %v", c.asked, got, err)
		}
	}
	if p := Paged(7, search.Page{Limit: 5}); p.GetTotalResult() != 7 || p.GetAppliedLimit() != 5 {
		t.Errorf("paged %v", p)
	}
}

func TestMoment(t *testing.T) {
	at := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	got, err := Moment("created", &filterv2.TimestampFilter{
		Timestamp: timestamppb.New(at), Method: filterv2.TimestampFilterMethod_TIMESTAMP_FILTER_METHOD_BEFORE_OR_EQUALS,
	})
	if err != nil || got != (search.Moment{Time: at, Method: search.BeforeOrAt}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, none := range []*filterv2.TimestampFilter{nil, {}, {Timestamp: &timestamppb.Timestamp{Nanos: -1}}} {
		if _, err := Moment("created", none); err == nil || fault.Of(err).Violations[0].Field != "created.timestamp" {
			t.Errorf("%v: %v", none, err)
		}
	}
}

func TestDetails(t *testing.T) {
	at := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	d := Details(eventlog.Head{Owner: "7", Sequence: 3, CreatedAt: at, ChangedAt: at.Add(time.Hour)})
	if d.GetResourceOwner() != "7" || d.GetSequence() != 3 || !d.GetChangeDate().AsTime().Equal(at.Add(time.Hour)) ||
		!d.GetCreationDate().AsTime().Equal(at) {
		t.Errorf("details %v", d)
	}
}
