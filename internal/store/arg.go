package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Arg turns an argument of a statement into the type that engines pass to their driver: string,
// int64, bool, []byte or nil. A []string becomes the text that [Dialect.InList] reads. It is for engines; callers give arguments as they are.
//
// It returns an error, which does not show the value, for what cannot be stored (see
// [Querier]). PostgreSQL could not keep such text, so no engine does.
func Arg(arg any) (any, error) {
	switch v := arg.(type) {
	case string:
		return argText(v)
	case int64, bool, nil:
		return v, nil
	case int:
		return int64(v), nil
	case []byte:
		return argBytes(v), nil
	case []string:
		return argList(v)
	}
	return argOf(reflect.ValueOf(arg))
}

// argOf is Arg for the types that are seldom seen: named ones, sized integers, pointers.
func argOf(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return Arg(v.Elem().Interface())
	case reflect.String:
		return argText(v.String())
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return nil, errors.New("store: the number needs more than 63 bits")
		}
		return int64(v.Uint()), nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return argBytes(v.Bytes()), nil
		}
	}
	return nil, fmt.Errorf("store: type %s cannot be stored", v.Type())
}

func argText(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("store: text is not valid UTF-8")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return nil, errors.New("store: text holds a NUL")
	}
	return s, nil
}

// argList writes a list as a JSON array, which both engines can take apart.
func argList(list []string) (any, error) {
	for _, s := range list {
		if _, err := argText(s); err != nil {
			return nil, err
		}
	}
	if list == nil {
		list = []string{} // an empty list, not JSON's null
	}
	data, err := json.Marshal(list)
	return string(data), err
}

// argBytes makes a nil slice NULL.
func argBytes(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
