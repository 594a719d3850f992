package main

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

// password returns the password of the person n describes, from where n says; given is false
// when there is to be none.
func (p *program) password(n *newInstance) (password string, given bool, err error) {
	switch {
	case n.passwordStdin:
		password, err = p.readLine()
	case n.passwordPrompt:
		password, err = p.askTwice()
	case n.passwordChange:
		return "", false, usagef("--password-change-required needs --password-stdin or --password-prompt")
	default:
		return "", false, nil
	}
	if err == nil && password == "" {
		err = errors.New("the password is empty")
	}
	return password, true, err
}

// readLine returns the first line of standard input, without its end.
func (p *program) readLine() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(p.stdin, maxPassword+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(line) > maxPassword {
		return "", errors.New("the password is too long: at most 200 characters")
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// askTwice asks for a password on the terminal, and again, as nobody sees what is typed.
func (p *program) askTwice() (string, error) {
	terminal, ok := p.stdin.(*os.File)
	if !ok || !isTerminal(terminal) {
		return "", usagef("--password-prompt needs a terminal; use --password-stdin")
	}
	first, err := p.ask(terminal, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := p.ask(terminal, "Password, again: ")
	if err == nil && first != second {
		err = errors.New("the two passwords differ")
	}
	return first, err
}

// ask reads one line without showing it. An interrupt ends it like an error, so that the
// terminal is not left without echo.
func (p *program) ask(terminal *os.File, prompt string) (string, error) {
	fd := int(terminal.Fd())
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
	fmt.Fprint(p.stderr, prompt)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- answer{text, err}
	}()
	defer fmt.Fprintln(p.stderr)
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
