package call

import "testing"

func TestFrom(t *testing.T) {
	want := Call{Actor: "ada", IdempotencyKey: "k"}
	if got := From(With(t.Context(), want)); got != want {
		t.Errorf("From = %+v, want %+v", got, want)
	}
}

func TestFromInner(t *testing.T) {
	ctx := With(With(t.Context(), Call{Actor: "outer", IdempotencyKey: "k"}), Call{Actor: "inner"})
	if got := From(ctx); got != (Call{Actor: "inner"}) {
		t.Errorf("From = %+v, want the inner call alone", got)
	}
}

// A handler that is reached around the dispatcher must not act as nobody.
func TestFromPanicsWithoutCall(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("From returned without a call")
		}
	}()
	From(t.Context())
}
