package v2

import (
	"cmp"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/search"

	filterv2 "castellan/gen/zitadel/filter/v2"
	objectv2 "castellan/gen/zitadel/object/v2"
)

// How many results a page has when it is not said, and at most (contract section 8).
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Pagination is what a request says about the page it asks for: a filterv2.PaginationRequest, or an
// objectv2.ListQuery. Either may be nil.
type Pagination interface {
	GetOffset() uint64
	GetLimit() uint32
	GetAsc() bool
}

// Page reads which page of a list is wanted. It returns QUERY-4M0fs, naming the limit of field, for more
// than [MaxLimit] entries.
func Page(field string, p Pagination) (search.Page, error) {
	if p.GetLimit() > MaxLimit {
		return search.Page{}, fault.Invalid("QUERY-4M0fs", "Errors.Query.LimitExceeded", field+".limit",
			fmt.Sprintf("must be at most %d", MaxLimit))
	}
	return search.Page{Offset: p.GetOffset(), Limit: cmp.Or(p.GetLimit(), DefaultLimit), Ascending: p.GetAsc()}, nil
}

// Paged says what a page was taken from.
func Paged(total int, page search.Page) *filterv2.PaginationResponse {
	return &filterv2.PaginationResponse{TotalResult: uint64(total), AppliedLimit: uint64(page.Limit)}
}

// Total is the details of a list.
func Total(total int) *objectv2.ListDetails {
	return &objectv2.ListDetails{TotalResult: uint64(total)}
}

// Text reads a condition on a text, whose method the rules of its message have checked.
func Text[Method ~int32](value string, method Method) search.Text {
	return search.Text{Value: value, Method: search.Method(method)}
}

// Moment reads a condition on a time, whose method the rules of its message have checked. It returns
// QUERY-time1, naming the timestamp of field, for what is no time.
func Moment(field string, f *filterv2.TimestampFilter) (search.Moment, error) {
	if err := f.GetTimestamp().CheckValid(); err != nil {
		return search.Moment{}, fault.Invalid("QUERY-time1", "Errors.Query.InvalidRequest", field+".timestamp",
			"must be a time between the years 1 and 9999").WithCause(err)
	}
	return search.Moment{Time: f.GetTimestamp().AsTime(), Method: search.TimeMethod(f.GetMethod())}, nil
}

// Details shows the history of something.
func Details(h eventlog.Head) *objectv2.Details {
	return &objectv2.Details{
		Sequence: h.Sequence, ResourceOwner: h.Owner,
		CreationDate: timestamppb.New(h.CreatedAt), ChangeDate: timestamppb.New(h.ChangedAt),
	}
}
