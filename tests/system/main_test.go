// Package system_test proves the System API as callers see it: what each call answers, which
// events it leaves and what the database then holds, on every engine and over every protocol;
// and that bad input of every kind is refused with the right words and leaves nothing.
package system_test

import (
	"testing"

	"castellan/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
