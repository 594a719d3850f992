package assertion

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/go-jose/go-jose/v4/json"
)

// plainTexts are objects that are plain, and others that are not.
var plainTexts = map[string]bool{
	`{"alg":"RS256"}`: true, `{"alg":"RS256","kid":"1"}`: true, ` { "a" : "b" , "n" : 0 } `: true, "{\t\"n\":\r\n10}": true,
	`{"aud":["a","b"],"exp":999999999999999}`: true, `{"":""}`: true,
	``: false, `{`: false, `{}`: false, `[]`: false, `"x"`: false, `{"a":"b",}`: false, `{"a":"b"} x`: false, `{"a":"b"}}`: false,
	`{"a":"b" "c":"d"}`: false, `{"a" "b"}`: false, `{"a":"b","a":"b"}`: false, `{"a":"\\u0041"}`: false, `{"a":"` + "\xff" + `"}`: false,
	`{"a":"ä"}`: false, `{"a":"` + "\x7f" + `"}`: false, "{\"a\":\"\n\"}": false, `{"a":`: false, `{"a":"`: false,
	`{"n":-1}`: false, `{"n":01}`: false, `{"n":1.0}`: false, `{"n":1e3}`: false, `{"n":9999999999999999}`: false, `{"n":}`: false, `{"n":1`: false, `{"n":12`: false, `{" ~":"~ "}`: true,
	`{"a":[]}`: false, `{"a":[1]}`: false, `{"a":["x",]}`: false, `{"a":["x"}`: false, `{"a":{}}`: false, `{"a":null}`: false,
	`{"a":true}`: false,
	`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1}`:       true,
	`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1}`: false,
}

func TestReadPlain(t *testing.T) {
	for text, want := range plainTexts {
		if _, ok := readPlain(nil, text); ok != want {
			t.Errorf("%q: plain %v", text, ok)
		}
	}
}

// FuzzReadPlain: what is read as plain the decoder reads the same.
func FuzzReadPlain(f *testing.F) {
	for text := range plainTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, ok := readPlain(nil, text)
		if !ok || len(text) > MaxSize {
			return
		}
		got := make(map[string]any)
		for _, m := range all {
			switch m.kind {
			case aText:
				got[m.name] = m.text
			case aNumber:
				got[m.name] = float64(m.number)
			case aList:
				list := make([]any, len(m.list))
				for i := range m.list {
					list[i] = m.list[i]
				}
				got[m.name] = list
			}
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %v; it is %v, %v", text, got, want, err)
		}
	})
}

// TestPlainIsAsAnyOther: what a header or claims say does not depend on how they are written.
func TestPlainIsAsAnyOther(t *testing.T) {
	for _, text := range []string{
		`{"alg":"RS256","kid":"7","x":["y"],"typ":"JWT"%s}`, `{"alg":5%s}`, `{"kid":["7"]%s}`, `{"crit":["a"]%s}`, `{"b64":"x"%s}`,
		`{"iss":"i","sub":"s","aud":"a","jti":"j","exp":5,"iat":4,"nbf":0,"scope":"x y"%s}`, `{"aud":["a","b"],"scope":["x"]%s}`,
		`{"scope":7%s}`, `{"iss":1%s}`, `{"sub":["s"]%s}`, `{"aud":1%s}`, `{"jti":1%s}`, `{"exp":"5"%s}`, `{"iat":["5"]%s}`, `{"nbf":"1"%s}`,
	} {
		few, more := fmt.Sprintf(text, ""), fmt.Sprintf(text, `,"more":{}`) // which is not plain
		a, aErr := readHeader(few)
		b, bErr := readHeader(more)
		if a != b || (aErr == nil) != (bErr == nil) {
			t.Errorf("header %s: %v %v, with more in it %v %v", few, a, aErr, b, bErr)
		}
		c, cErr := readClaims(few)
		d, dErr := readClaims(more)
		if !reflect.DeepEqual(c, d) || (cErr == nil) != (dErr == nil) {
			t.Errorf("claims %s: %v %v, with more in them %v %v", few, c, cErr, d, dErr)
		}
	}
}
