package operation_test

import (
	"net/http"
	"testing"

	"castellan/tests/kit"
)

// keyedCall is a creation under an idempotency key.
func keyedCall(t *testing.T, key string) kit.Call {
	t.Helper()
	return kit.Call{
		Method: "CreateInstance", Request: kit.WithKey(kit.Machine("Acme")), Token: kit.Operator().Token(t),
		Header: http.Header{"Idempotency-Key": {key}},
	}
}
