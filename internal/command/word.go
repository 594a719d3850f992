package command

import (
	"strings"

	"github.com/spf13/cobra"

	"castellan/internal/terminal"
)

// word is what an operator types for a value, mostly one of an enumeration.
type word[V any] struct {
	text  string
	value V
}

// texts returns the words themselves.
func texts[V any](words []word[V]) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = w.text
	}
	return all
}

// addWords gives cmd a flag that takes one of words, the first when it is not given, and returns
// what tells its value.
func addWords[V any](cmd *cobra.Command, name, help string, words []word[V]) func() V {
	text := terminal.AddChoice(cmd, name, "", help, texts(words)...)
	return func() (value V) {
		for _, w := range words {
			if w.text == *text {
				value = w.value
			}
		}
		return value
	}
}

// parseWord reads one of words; what says what it is.
func parseWord[V any](what string, words []word[V], text string) (value V, err error) {
	for _, w := range words {
		if w.text == text {
			return w.value, nil
		}
	}
	return value, terminal.Usagef("%s must be one of %s, not %.100q", what, strings.Join(texts(words), ", "), text)
}

// enumText shows the name of a value of an enumeration in small letters, without what all names
// begin with.
func enumText(name, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", "-"))
}
