package client

import (
	"context"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"castellan/internal/terminal"
)

// message is a pointer to the struct of a message.
type message[T any] interface {
	*T
	proto.Message
}

// Step is done before a call, when the command line is known to be right.
type Step func(ctx context.Context, to *Client, args []string) error

// One makes cmd a command that makes one call: of the procedure, with a request made of the
// arguments, after the steps. The answer is shown as rows of names and values, or as JSON.
func One[Req, Res any, Answer message[Res]](
	s Surroundings, cmd *cobra.Command, procedure string,
	request func(args []string) (*Req, error), show func(args []string, answer *Res) []terminal.Row, before ...Step,
) *cobra.Command {
	at, output := Add(cmd)
	cmd.RunE = s.Do(func(ctx context.Context, args []string) error {
		asked, err := request(args)
		if err != nil {
			return err
		}
		to, err := at.Client(s)
		if err != nil {
			return err
		}
		for _, do := range before {
			if err := do(ctx, to, args); err != nil {
				return err
			}
		}
		answer, err := Call[Req, Res](ctx, to, procedure, asked)
		if err != nil {
			return err
		}
		if *output == terminal.OutputJSON {
			return terminal.WriteMessage(s.Out, Answer(answer))
		}
		return terminal.WriteTable(s.Out, show(args, answer))
	})
	return cmd
}

// Add gives cmd what every client command has. Its arguments are ids and names, which no
// shell can complete from files.
func Add(cmd *cobra.Command) (at *Access, output *string) {
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	return AddAccess(cmd), terminal.AddOutput(cmd)
}

// Call is [Invoke] for a command: what it returns as an error is to be shown.
func Call[Req, Res any](ctx context.Context, to *Client, procedure string, request *Req) (*Res, error) {
	answer, err := Invoke[Req, Res](ctx, to, procedure, "", request)
	if err != nil {
		return nil, to.Explain(err)
	}
	return answer, nil
}

// Ask gives cmd the flag --yes, and returns the step that asks whether to go ahead when it is
// not given. question says in whole sentences what will be gone.
func Ask(s Surroundings, cmd *cobra.Command, question func(args []string) string) Step {
	return AskFor(s, cmd, func(_ context.Context, _ *Client, args []string) (string, string, error) {
		return question(args), "yes", nil
	})
}

// AskFor is [Ask] for questions that need a look first, and a word other than yes.
func AskFor(
	s Surroundings, cmd *cobra.Command, question func(ctx context.Context, to *Client, args []string) (question, word string, err error),
) Step {
	yes := cmd.Flags().Bool("yes", false, "do it without asking")
	return func(ctx context.Context, to *Client, args []string) error {
		if *yes {
			return nil
		}
		if !s.Interactive { // nothing is looked at in vain
			return s.Confirm("", "")
		}
		text, word, err := question(ctx, to, args)
		if err != nil {
			return err
		}
		return s.Confirm(text, word)
	}
}
