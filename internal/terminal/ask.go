package terminal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxAnswer bounds a typed answer, in bytes.
const maxAnswer = 4096

// Confirm asks the one at the terminal to type word, and returns an error unless they do:
// [Usage] when t is not interactive, for then nobody can be asked. question is whole lines.
func (t *Terminal) Confirm(question, word string) error {
	if !t.Interactive {
		return Usagef("nobody can be asked whether you are sure: standard input is no terminal; --yes goes ahead")
	}
	word = Printable(word) // what is shown is what can be typed
	fmt.Fprintf(t.Err, "%s\nType %s to go ahead: ", question, word)
	typed, err := bufio.NewReader(io.LimitReader(t.In, maxAnswer)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(typed) != strings.TrimSpace(word) {
		return errors.New("not confirmed, so nothing was done")
	}
	return nil
}
