package terminal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"
)

// maxPassword bounds what is read as a password, in bytes: 200 characters of four, and a line end.
const maxPassword = 802

// ReadPassword returns the first line of standard input, without its end. It returns an error
// for a line that no password can be.
func (t *Terminal) ReadPassword() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(t.In, maxPassword+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(line) > maxPassword {
		return "", errors.New("the password is too long: at most 200 characters")
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// AskPassword asks for a password on the terminal, and again, as nobody sees what is typed. It
// returns a [Usage] error when t is not interactive, and another when the two differ.
func (t *Terminal) AskPassword() (string, error) {
	in, ok := t.In.(*os.File)
	if !ok || !t.Interactive {
		return "", Usagef("nobody can be asked for a password: standard input is no terminal")
	}
	first, err := t.ask(in, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := t.ask(in, "Password, again: ")
	if err == nil && first != second {
		err = errors.New("the two passwords differ")
	}
	return first, err
}

// ask reads one line without showing it. An interrupt ends it like an error, so that the
// terminal is not left without echo.
func (t *Terminal) ask(in *os.File, prompt string) (string, error) {
	fd := int(in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	defer signal.Stop(interrupted)

	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	fmt.Fprint(t.Err, prompt)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- answer{text, err}
	}()
	defer fmt.Fprintln(t.Err)
	select {
	case a := <-read:
		if a.err != nil {
			return "", fmt.Errorf("ask for the password: %w", a.err)
		}
		return string(a.text), nil
	case <-interrupted:
		return "", errors.Join(errors.New("interrupted"), term.Restore(fd, state))
	}
}
