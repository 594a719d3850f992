package sqlite

import (
	"database/sql/driver"
	"math"
	"reflect"
	"testing"
)

func TestScanKeepsValues(t *testing.T) {
	type (
		name  string
		small int8
		flag  bool
		blob  []byte
	)
	text := "x"
	for _, c := range []struct {
		value driver.Value
		dest  any // pointer to the wanted value
	}{
		{"x", &text},
		{"x", ptr(name("x"))},
		{"x", ptr(ptr("x"))},
		{"x", ptr([]byte("x"))},
		{nil, ptr((*string)(nil))},
		{nil, ptr((*int64)(nil))},
		{nil, ptr([]byte(nil))},
		{nil, ptr(blob(nil))},
		{[]byte(nil), ptr([]byte{})}, // how the driver gives an empty blob
		{[]byte{1}, ptr([]byte{1})},
		{[]byte{1}, ptr(blob{1})},
		{[]byte(nil), ptr(blob{})},
		{int64(math.MinInt64), ptr(int64(math.MinInt64))},
		{int64(5), ptr(5)},
		{int64(-128), ptr(small(-128))},
		{int64(math.MaxInt64), ptr(uint64(math.MaxInt64))},
		{int64(1), ptr(true)},
		{int64(0), ptr(false)},
		{int64(1), ptr(flag(true))},
		{int64(1), ptr(ptr(true))},
	} {
		dest := reflect.New(reflect.TypeOf(c.dest).Elem())
		if err := scan([]driver.Value{c.value}, []any{dest.Interface()}); err != nil {
			t.Errorf("%T into %T: %v", c.value, c.dest, err)
		} else if !reflect.DeepEqual(dest.Interface(), c.dest) {
			t.Errorf("%#v into %T gives %#v", c.value, c.dest, dest.Elem().Interface())
		}
	}
}

func TestScanConvertsNothing(t *testing.T) {
	for _, c := range []struct {
		value driver.Value
		dest  any
	}{
		{"1", new(int64)},
		{"1", new(int)},
		{"1", new(uint8)},
		{"true", new(bool)},
		{int64(1), new(string)},
		{int64(1), ptr(ptr("x"))},
		{int64(1), new([]byte)},
		{int64(2), new(bool)},
		{int64(-1), new(bool)},
		{int64(-1), new(uint64)},
		{int64(256), new(uint8)},
		{int64(128), new(int8)},
		{[]byte("x"), new(string)},
		{1.5, new(int64)},
		{1.5, new(string)},
		{nil, new(string)},
		{nil, new(int64)},
		{nil, new(int)},
		{nil, new(bool)},
		{nil, new(uint16)},
		{"x", "not a pointer"},
		{"x", (*uint8)(nil)},
		{"x", nil},
		{"x", new(struct{})},
	} {
		if err := scan([]driver.Value{c.value}, []any{c.dest}); err == nil {
			t.Errorf("%#v went into %T", c.value, c.dest)
		}
	}
	if err := scan([]driver.Value{"x"}, nil); err == nil {
		t.Error("a column was left out")
	}
}

func ptr[T any](v T) *T { return &v }
