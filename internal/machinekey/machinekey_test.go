package machinekey

import (
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
)

func TestAdd(t *testing.T) {
	public := []byte("-----BEGIN PUBLIC KEY-----\n")
	expires := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	add := Add{Key: "7", User: "8", PublicKey: public, ExpiresAt: expires}
	logtest.Run(t, Noun, []logtest.Case[State]{{
		Name:  "key",
		When:  func(State) ([]eventlog.Payload, error) { return add.Decide(), nil },
		Then:  []eventlog.Payload{Added{Key: "7", User: "8", Type: 1, PublicKey: public, Expiration: expires}},
		State: &State{User: "8", PublicKey: public, ExpiresAt: expires},
	}})
}
