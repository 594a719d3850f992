package sqlite

import (
	"database/sql/driver"
	"fmt"
	"reflect"

	"castellan/internal/store"
)

// bind turns arguments into what the driver takes. The result is valid until the next bind.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, arg := range args {
		v, err := store.Arg(arg)
		if err != nil {
			return nil, fmt.Errorf("argument $%d: %w", i+1, err)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args, nil
}

// scan copies the values of a row.
func scan(values []driver.Value, dest []any) error {
	if len(values) != len(dest) {
		return fmt.Errorf("sqlite: scan %d columns into %d destinations", len(values), len(dest))
	}
	for i, v := range values {
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("sqlite: scan column %d: %w", i+1, err)
		}
	}
	return nil
}

// errMismatch is how scanning into the wrong type, or one too small, fails: the engines convert
// nothing. The value itself is not named, it may be a secret.
func errMismatch(v driver.Value, dest any) error {
	return fmt.Errorf("%T cannot be scanned into %T without loss", v, dest)
}

// assign copies one value into *dest.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
		return errMismatch(v, dest)
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
		return errMismatch(v, dest)
	case *int:
		if n, ok := v.(int64); ok && int64(int(n)) == n {
			*d = int(n)
			return nil
		}
		return errMismatch(v, dest)
	case *bool:
		return assignBool(d, v)
	case *[]byte:
		return assignBytes(d, v)
	}
	target := reflect.ValueOf(dest)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("destination %T is not a pointer", dest)
	}
	return assignTo(target.Elem(), v)
}

func assignBool(d *bool, v driver.Value) error {
	n, ok := v.(int64)
	if !ok || n < 0 || n > 1 {
		return errMismatch(v, d)
	}
	*d = n == 1
	return nil
}

// assignBytes keeps NULL and an empty value apart: the driver gives an empty blob as a nil slice.
func assignBytes(d *[]byte, v driver.Value) error {
	switch b := v.(type) {
	case nil:
		*d = nil
	case []byte:
		*d = b
		if b == nil {
			*d = []byte{}
		}
	case string:
		*d = []byte(b)
	default:
		return errMismatch(v, d)
	}
	return nil
}

// assignTo is assign for the types that need reflection.
func assignTo(target reflect.Value, v driver.Value) error {
	if target.Kind() == reflect.Pointer {
		if v == nil {
			target.SetZero()
			return nil
		}
		p := reflect.New(target.Type().Elem())
		if err := assign(p.Interface(), v); err != nil {
			return err
		}
		target.Set(p)
		return nil
	}
	switch x := v.(type) {
	case string:
		if target.Kind() == reflect.String {
			target.SetString(x)
			return nil
		}
	case int64:
		return assignInt(target, x)
	}
	if target.Kind() == reflect.Slice && target.Type().Elem().Kind() == reflect.Uint8 {
		var b []byte
		if err := assignBytes(&b, v); err != nil {
			return err
		}
		target.SetBytes(b)
		return nil
	}
	return errMismatch(v, target.Addr().Interface())
}

// assignInt sets an integer or a named bool, and refuses a value out of its range.
func assignInt(target reflect.Value, n int64) error {
	switch {
	case target.CanInt() && !target.OverflowInt(n):
		target.SetInt(n)
	case target.CanUint() && n >= 0 && !target.OverflowUint(uint64(n)):
		target.SetUint(uint64(n))
	case target.Kind() == reflect.Bool && (n == 0 || n == 1):
		target.SetBool(n == 1)
	default:
		return errMismatch(n, target.Addr().Interface())
	}
	return nil
}
