// Package operation_test proves what operators rely on, with the real binary where it matters:
// nothing is half done when the process is killed or its database goes away, requests in flight
// are finished when it stops, configuration is read again, secrets stay secret, and the one port
// speaks every protocol it should, with and without TLS.
package operation_test

import (
	"testing"

	"castellan/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
