// Package expiry has the one rule for when a credential ends, shared by every noun that
// has credentials (contract section 1.4). Expiry is checked when a credential is used;
// nothing waits for it.
package expiry

import (
	"time"

	"castellan/internal/fault"
)

// Never is the expiry of a credential for which none was asked.
var Never = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// At returns when a credential made now ends: at wish, cut to microseconds, or never when
// wish is zero. The fractions of the last second before Never ends count as Never: the
// latest time a protobuf Timestamp can hold is a common way to ask for it. At returns
// DOMAIN-dv3t5, naming field, when wish is not after now or lies after the year 9999.
func At(now, wish time.Time, field string) (time.Time, error) {
	if wish.IsZero() {
		return Never, nil
	}
	wish = wish.UTC().Truncate(time.Microsecond)
	switch {
	case !wish.After(now):
		return time.Time{}, fault.Invalid("DOMAIN-dv3t5", "Errors.AuthNKey.ExpireBeforeNow", field, "must be in the future")
	case wish.Year() > Never.Year():
		return time.Time{}, fault.Invalid("DOMAIN-dv3t5", "Errors.AuthNKey.ExpireBeforeNow", field, "must not be later than 9999-12-31T23:59:59Z")
	case wish.After(Never):
		return Never, nil
	}
	return wish, nil
}
