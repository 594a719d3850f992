package postgres_test

import (
	"testing"

	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestConformance(t *testing.T) { storetest.Conformance(t, storetest.Postgres()) }
