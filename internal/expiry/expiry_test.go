package expiry

import (
	"testing"
	"time"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func TestAt(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 5000, time.UTC)
	east := time.FixedZone("east", 5*3600)
	cases := []struct {
		name       string
		wish, want time.Time // want is zero where the wish is refused
	}{
		{"none", time.Time{}, Never},
		{"zero in another zone", time.Time{}.In(east), Never},
		{"a microsecond from now", now.Add(time.Microsecond), now.Add(time.Microsecond)},
		{"cut to microseconds", now.Add(3*time.Microsecond + 999), now.Add(3 * time.Microsecond)},
		{"in UTC", now.Add(time.Hour).In(east), now.Add(time.Hour)},
		{"never", Never, Never},
		{"the latest protobuf timestamp", Never.Add(time.Second - 1), Never},
		{"now", now, time.Time{}},
		{"now, cut to microseconds", now.Add(999), time.Time{}},
		{"a microsecond ago", now.Add(-time.Microsecond), time.Time{}},
		{"1970", time.Unix(0, 0), time.Time{}},
		{"before the year 1", time.Time{}.Add(-1), time.Time{}},
		{"year 10000", Never.Add(time.Second), time.Time{}},
		{"far future", now.AddDate(200_000, 0, 0), time.Time{}},
	}
	for _, c := range cases {
		got, err := At(now, c.wish, "machine.key")
		if c.want.IsZero() {
			if err == nil {
				t.Errorf("%s: %v, want it refused", c.name, got)
				continue
			}
			logtest.CheckRefusal(t, err, logtest.Refusal{
				Kind: fault.InvalidArgument, ID: "DOMAIN-dv3t5", Fields: []string{"machine.key"},
			})
			continue
		}
		if err != nil || !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}
