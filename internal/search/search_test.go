package search

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	list := []int{0, 1, 2, 3, 4}
	for _, c := range []struct {
		page Page
		want []int
	}{
		{Page{}, list},
		{Page{Limit: 2}, []int{0, 1}},
		{Page{Limit: 2, Offset: 4}, []int{4}},
		{Page{Limit: 2, Offset: 5}, nil},
		{Page{Offset: 3}, []int{3, 4}},
		{Page{Limit: math.MaxUint32, Offset: 1}, []int{1, 2, 3, 4}},
		{Page{Limit: math.MaxUint32, Offset: math.MaxUint64}, nil},
	} {
		if got := Of(c.page, list); !slices.Equal(got, c.want) {
			t.Errorf("%+v is %v, want %v", c.page, got, c.want)
		}
	}
	long := make([]int, MaxPage+2)
	for _, limit := range []uint32{0, MaxPage, MaxPage + 1} {
		if got := Of(Page{Limit: limit}, long); len(got) != MaxPage {
			t.Errorf("limit %d: %d entries", limit, len(got))
		}
	}
	if (Page{Offset: math.MaxUint64}).From() < MaxPage {
		t.Error("a great offset has become a small one")
	}
}

// Which of the eight methods find value in text, as a text of + and -.
func TestText(t *testing.T) {
	for _, c := range []struct{ text, value, want string }{
		{"Ada", "Ada", "++++++++"},
		{"Ada", "ada", "-+-+-+-+"},
		{"Ada", "Ad", "--++++--"},
		{"Ada", "aD", "---+-+--"},
		{"Ada", "d", "----++--"},
		{"Ada", "DA", "-----+-+"},
		{"Ada", "", "--++++++"},
		{"", "", "++++++++"},
		{"", "a", "--------"},
		{"100%", "%", "----++++"},
		{"100%", "1%", "--------"},
		{"a_c", "a_c", "++++++++"},
		{"abc", "a_c", "--------"},
		{`a\c`, `\`, "----++--"},
		{"a*c[b]", "*", "----++--"},
		{"ÉCOLE", "école", "-+-+-+-+"},
		{"ecole", "école", "--------"},
		{"Straße", "STRASSE", "-+-+-+-+"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", "-+-+-+-+"},
		{"Иван", "ИВ", "---+-+--"},
		{"日本語", "本", "----++--"},
	} {
		var got strings.Builder
		for method := Equals; method <= EndsWithIgnoreCase; method++ {
			mark := byte('-')
			if (Text{Value: c.value, Method: method}).Matcher()(c.text) {
				mark = '+'
			}
			got.WriteByte(mark)
		}
		if got.String() != c.want {
			t.Errorf("%q in %q: %s, want %s", c.value, c.text, got.String(), c.want)
		}
	}
}

// FuzzText checks what holds for any two texts: who meets a narrower condition meets the wider.
func FuzzText(f *testing.F) {
	f.Add("Straße", "SS")
	f.Add("ǅ", "ǆ")
	f.Add("\xff", "%")
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text)+len(value) > 1000 {
			return
		}
		match := func(m Method) bool { return (Text{Value: value, Method: m}).Matcher()(text) }
		for _, narrow := range []Method{Equals, StartsWith, EndsWith} {
			if match(narrow) && !match(Contains) || match(narrow+1) && !match(ContainsIgnoreCase) {
				t.Errorf("method %d finds %q in %q, and Contains does not", narrow, value, text)
			}
		}
		if match(Equals) && !match(EqualsIgnoreCase) {
			t.Errorf("%q equals %q but for ignored case", value, text)
		}
		if !(Text{Value: text, Method: EqualsIgnoreCase}).Matcher()(text) {
			t.Errorf("%q is not equal to itself", text)
		}
	})
}
