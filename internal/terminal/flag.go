package terminal

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Forms of output.
const (
	OutputTable = "table" // for people
	OutputJSON  = "json"  // for programs
)

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
}

func (c choice) String() string {
	if c.value == nil { // pflag asks a zero value too
		return ""
	}
	return *c.value
}

// Type implements pflag.Value.
func (c choice) Type() string { return strings.Join(c.words, "|") }

// Set implements pflag.Value.
func (c choice) Set(s string) error {
	for _, w := range c.words {
		if s == w {
			*c.value = s
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(c.words, ", "))
}

// AddChoice gives cmd a flag that takes one of words, the first when it is not given.
func AddChoice(cmd *cobra.Command, name, shorthand, help string, words ...string) *string {
	value := words[0]
	cmd.Flags().VarP(choice{&value, words}, name, shorthand, help)
	CompleteValues(cmd, name, words...)
	return &value
}

// AddOutput gives cmd the flag --output.
func AddOutput(cmd *cobra.Command) *string {
	return AddChoice(cmd, "output", "o", "form of the output", OutputTable, OutputJSON)
}

// CompleteValues lets the shell complete the values of a flag.
func CompleteValues(cmd *cobra.Command, flag string, values ...string) {
	Must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
}
