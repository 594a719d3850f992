package terminal

import (
	"bytes"
	"testing"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteTable(&b, []Row{{"Name", "a\x1b[2Jb\tc\nd"}, {"Longer name", "é"}}); err != nil {
		t.Fatal(err)
	}
	if want := "Name         a\uFFFD[2Jb\uFFFDc\uFFFDd\nLonger name  é\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
