package pat

import (
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/store"
)

func TestAdd(t *testing.T) {
	hash := []byte{0, 1, 0xff}
	scopes := []string{"openid", "profile"}
	expires := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	add := Add{Token: "7", User: "8", Hash: hash, Scopes: scopes, ExpiresAt: expires}
	logtest.Run(t, Noun, []logtest.Case[State]{{
		Name:  "token",
		When:  func(State) ([]eventlog.Payload, error) { return add.Decide(), nil },
		Then:  []eventlog.Payload{Added{Token: "7", User: "8", Hash: hash, Scopes: scopes, Expiration: expires}},
		State: &State{User: "8", Hash: hash, Scopes: scopes, ExpiresAt: expires},
	}, {
		Name:  "removed",
		Given: add.Decide(),
		When:  func(s State) ([]eventlog.Payload, error) { return Remove{}.Decide(s), nil },
		Then:  []eventlog.Payload{Removed{Token: logtest.ID}},
		State: &State{User: "8", Hash: hash, Scopes: scopes, ExpiresAt: expires, Removed: true},
	}})
}

func TestRow(t *testing.T) {
	expires := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	s := logtest.Fold(t, Noun, Added{User: "8", Hash: []byte{1}, Scopes: []string{"a", "b"}, Expiration: expires})
	row := Noun.Tables[0].Rows(s)[0]
	if row[5] != "a b" {
		t.Errorf("scopes are stored as %q", row[5])
	}
	if at := store.Time(row[6].(int64)); !at.Equal(expires) {
		t.Errorf("the latest expiry is stored as %v", at)
	}
}
