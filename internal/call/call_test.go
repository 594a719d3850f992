package call

import (
	"net/http"
	"reflect"
	"testing"
)

func TestFrom(t *testing.T) {
	want := Call{Actor: "ada", IdempotencyKey: "k", Page: "p", Answer: http.Header{}}
	if got := From(With(t.Context(), want)); !reflect.DeepEqual(got, want) {
		t.Errorf("From = %+v, want %+v", got, want)
	}
}

func TestFromInner(t *testing.T) {
	ctx := With(With(t.Context(), Call{Actor: "outer", IdempotencyKey: "k"}), Call{Actor: "inner"})
	if got := From(ctx); !reflect.DeepEqual(got, Call{Actor: "inner"}) {
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

func TestShowNextPage(t *testing.T) {
	c := Call{Answer: http.Header{}}
	c.ShowNextPage("")
	if len(c.Answer) != 0 {
		t.Errorf("no page: %v", c.Answer)
	}
	c.ShowNextPage("p")
	if c.Answer.Get("castellan-next-page") != "p" {
		t.Errorf("a page: %v", c.Answer)
	}
	Call{}.ShowNextPage("p") // has nowhere to go
}
