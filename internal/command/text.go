package command

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/terminal"

	zitadelv1 "castellan/gen/zitadel/v1"
)

// done shows what the answer to a write says: of which instance something was what, and when.
func done(instance, what string, details *zitadelv1.ObjectDetails) []terminal.Row {
	return []terminal.Row{{"Instance", instance}, {what, dateOf(details)}}
}

// dateOf returns when a write was done. The API has that date in the one or the other field
// (contract section 2.1).
func dateOf(details *zitadelv1.ObjectDetails) string {
	if details.GetCreationDate() != nil {
		return date(details.GetCreationDate())
	}
	return date(details.GetChangeDate())
}

// date shows a time in UTC, empty when there is none.
func date(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}

// moment reads a time, or a duration from now; nil when text is empty.
func moment(flag, text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return timestamppb.New(now.Add(d)), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, terminal.Usagef("%s must be a time such as 2030-12-31T00:00:00Z or a duration such as 720h, not %q", flag, text)
	}
	return timestamppb.New(t), nil
}
