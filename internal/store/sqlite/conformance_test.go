package sqlite_test

import (
	"testing"

	"castellan/internal/store/storetest"
)

func TestConformance(t *testing.T) { storetest.Conformance(t, storetest.SQLite()) }
