package command

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/files"
	"castellan/internal/terminal"

	authnv1 "castellan/gen/zitadel/authn/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// newInstance is what the flags of `castellan instance create` say.
type newInstance struct {
	org, domain, language string

	// The owner is a machine when machineUser is set. A time or a file for a credential asks
	// for it as well as pat and machineKey do.
	machineUser, machineName        string
	pat, machineKey                 bool
	patExpires, keyExpires, keyFile string

	// The owner is a person when email is set: the one thing about people the API insists on.
	email, humanUser                   string
	firstName, lastName, humanLanguage string
	emailVerified, passwordChange      bool
	// At most one of the two ways to give a password. There is no flag for the password itself:
	// arguments can be seen by all users of a machine, and stay in the history of the shell.
	passwordStdin, passwordPrompt bool

	idempotencyKey string
}

// createInstance returns `castellan instance create`.
func (c *Commands) createInstance() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an instance with its owner",
		Long: `create makes an instance and prints its id and the secrets of its owner, which cannot be had again
later. The owner is a machine (--machine-user) or a person (--email).

Every call carries an idempotency key: repeated with the same one and the same flags within a day,
it returns the first answer instead of making another instance. A password is read from standard
input or the terminal, never from an argument. Times are RFC 3339 or a duration from now.`,
		Example: `  castellan instance create Acme --machine-user owner --pat --machine-key-file owner-key.json
  castellan instance create Acme --email ada@example.com --first-name Ada --last-name Lovelace --password-prompt`,
		Args: terminal.Arguments("NAME"),
	}
	n := &newInstance{}
	n.addFlags(cmd)
	at, output := client.AddAccess(cmd), terminal.AddOutput(cmd)
	cmd.RunE = c.Do(func(ctx context.Context, args []string) error {
		request, err := c.createRequest(args[0], n)
		if err != nil {
			return err
		}
		to, err := at.Client(c.Surroundings)
		if err != nil {
			return err
		}
		made, err := n.create(ctx, to, request)
		if err != nil {
			return err
		}
		if *output == terminal.OutputJSON {
			return terminal.WriteMessage(c.Out, made)
		}
		return terminal.WriteTable(c.Out, n.rows(made))
	})
	return cmd
}

// machineFlags and humanFlags are the flags that describe an owner of one kind.
var (
	machineFlags = []string{
		"machine-user", "machine-name", "pat", "pat-expires", "machine-key", "machine-key-expires", "machine-key-file",
	}
	humanFlags = []string{
		"email", "email-verified", "human-user", "first-name", "last-name", "human-language",
		"password-stdin", "password-prompt", "password-change-required",
	}
)

// addFlags gives cmd the flags of n.
func (n *newInstance) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&n.org, "org", "", "`name` of the first organization, default that of the instance")
	f.StringVar(&n.domain, "domain", "", "`domain` beside the generated one; it becomes the primary one")
	f.StringVar(&n.language, "language", "", "default `language` of the instance, such as en")

	f.StringVar(&n.machineUser, "machine-user", "", "the owner is a machine with this user `name`")
	f.StringVar(&n.machineName, "machine-name", "", "`name` to show for the machine, default its user name")
	f.BoolVar(&n.pat, "pat", false, "make a personal access token for the machine")
	f.StringVar(&n.patExpires, "pat-expires", "", "make a token that ends at this `time`")
	f.BoolVar(&n.machineKey, "machine-key", false, "make a key for the machine and print it")
	f.StringVar(&n.keyExpires, "machine-key-expires", "", "make a key that ends at this `time`")
	f.StringVar(&n.keyFile, "machine-key-file", "", "make a key and write it to this new `file`, mode 0600, and nowhere else")

	f.StringVar(&n.email, "email", "", "the owner is a person with this email `address`")
	f.BoolVar(&n.emailVerified, "email-verified", false, "the address is known to be right")
	f.StringVar(&n.humanUser, "human-user", "", "user `name` of the person")
	f.StringVar(&n.firstName, "first-name", "", "first `name` of the person")
	f.StringVar(&n.lastName, "last-name", "", "last `name` of the person")
	f.StringVar(&n.humanLanguage, "human-language", "", "preferred `language` of the person")
	f.BoolVar(&n.passwordStdin, "password-stdin", false, "read the person's password from the first line of standard input")
	f.BoolVar(&n.passwordPrompt, "password-prompt", false, "ask for the person's password on the terminal")
	f.BoolVar(&n.passwordChange, "password-change-required", false, "the person must choose another password at the first sign-in")

	f.StringVar(&n.idempotencyKey, "idempotency-key", "", "`key` under which the call can be repeated, default a random one")
	// A flag that does nothing for the kind of owner asked for is a mistake to tell of.
	cmd.MarkFlagsMutuallyExclusive("password-stdin", "password-prompt")
	for _, machine := range machineFlags {
		for _, human := range humanFlags {
			cmd.MarkFlagsMutuallyExclusive(machine, human)
		}
	}
}

// createRequest returns the request that n describes, with the password from where n says.
func (c *Commands) createRequest(name string, n *newInstance) (*systemv1.CreateInstanceRequest, error) {
	request := &systemv1.CreateInstanceRequest{
		InstanceName: name, FirstOrgName: n.org, CustomDomain: n.domain, DefaultLanguage: n.language,
	}
	switch {
	case n.machineUser != "":
		machine, err := n.machine(c.Clock.Now())
		if err != nil {
			return nil, err
		}
		request.Owner = &systemv1.CreateInstanceRequest_Machine_{Machine: machine}
	case n.email != "":
		human, err := c.human(n)
		if err != nil {
			return nil, err
		}
		request.Owner = &systemv1.CreateInstanceRequest_Human_{Human: human}
	default:
		return nil, terminal.Usagef("the instance needs an owner: --machine-user NAME or --email ADDRESS")
	}
	return request, nil
}

// machine returns the machine that n describes. A credential without an end is one whose date is
// left out (contract section 1.4).
func (n *newInstance) machine(now time.Time) (*systemv1.CreateInstanceRequest_Machine, error) {
	m := &systemv1.CreateInstanceRequest_Machine{UserName: n.machineUser, Name: cmp.Or(n.machineName, n.machineUser)}
	if n.pat || n.patExpires != "" {
		expires, err := moment("--pat-expires", n.patExpires, now)
		if err != nil {
			return nil, err
		}
		m.PersonalAccessToken = &systemv1.CreateInstanceRequest_PersonalAccessToken{ExpirationDate: expires}
	}
	if n.machineKey || n.keyExpires != "" || n.keyFile != "" {
		expires, err := moment("--machine-key-expires", n.keyExpires, now)
		if err != nil {
			return nil, err
		}
		m.MachineKey = &systemv1.CreateInstanceRequest_MachineKey{Type: authnv1.KeyType_KEY_TYPE_JSON, ExpirationDate: expires}
	}
	return m, nil
}

// human returns the person that n describes. Which names are needed the server decides, so that
// its rules are not written down twice.
func (c *Commands) human(n *newInstance) (*systemv1.CreateInstanceRequest_Human, error) {
	password, given, err := c.password(n)
	if err != nil {
		return nil, err
	}
	h := &systemv1.CreateInstanceRequest_Human{
		UserName: n.humanUser,
		Email:    &systemv1.CreateInstanceRequest_Email{Email: n.email, IsEmailVerified: n.emailVerified},
		Profile: &systemv1.CreateInstanceRequest_Profile{
			FirstName: n.firstName, LastName: n.lastName, PreferredLanguage: n.humanLanguage,
		},
	}
	if given {
		h.Password = &systemv1.CreateInstanceRequest_Password{Password: password, PasswordChangeRequired: n.passwordChange}
	}
	return h, nil
}

// password returns the password of the person n describes, from where n says; given is false
// when there is to be none.
func (c *Commands) password(n *newInstance) (password string, given bool, err error) {
	switch {
	case n.passwordStdin:
		password, err = c.ReadPassword()
	case n.passwordPrompt && !c.Interactive:
		err = terminal.Usagef("--password-prompt needs a terminal; use --password-stdin")
	case n.passwordPrompt:
		password, err = c.AskPassword()
	case n.passwordChange:
		return "", false, terminal.Usagef("--password-change-required needs --password-stdin or --password-prompt")
	default:
		return "", false, nil
	}
	if err == nil && password == "" {
		err = errors.New("the password is empty")
	}
	return password, true, err
}

// create makes the call. The file for the key is made before it: a secret that is shown once
// must not find its place taken. A key that is in the file is not in the answer any more, so that
// no form of output shows it again.
func (n *newInstance) create(ctx context.Context, to *client.Client, request *systemv1.CreateInstanceRequest) (_ *systemv1.CreateInstanceResponse, err error) {
	if n.keyFile != "" {
		if err := files.Create(n.keyFile, nil, 0o600); err != nil {
			return nil, fmt.Errorf("--machine-key-file: %w", err)
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.Remove(n.keyFile))
			}
		}()
	}
	// Nothing is tried twice by itself; the key lets the operator do it safely.
	key := cmp.Or(n.idempotencyKey, rand.Text())
	again := fmt.Sprintf("; repeat with --idempotency-key %s, so that there will be no second instance", terminal.Quote(key))
	made, err := to.CreateInstance(ctx, key, request)
	if err != nil {
		if client.OutcomeUnknown(err) {
			return nil, fmt.Errorf("%w%s", to.Explain(err), again)
		}
		return nil, to.Explain(err)
	}
	if n.keyFile != "" {
		if err := files.Replace(n.keyFile, made.GetMachineKey()); err != nil {
			return nil, fmt.Errorf("the instance %s was created, but its key not saved: %w%s", made.GetInstanceId(), err, again)
		}
		made.MachineKey = nil
	}
	return made, nil
}

// rows shows a new instance and its owner's secrets.
func (n *newInstance) rows(made *systemv1.CreateInstanceResponse) []terminal.Row {
	rows := []terminal.Row{
		{"Instance", made.GetInstanceId()},
		{"Organization", made.GetDetails().GetResourceOwner()},
		{"Created", date(made.GetDetails().GetCreationDate())},
	}
	if made.GetPat() != "" {
		rows = append(rows, terminal.Row{"Token", made.GetPat()})
	}
	if n.keyFile != "" {
		rows = append(rows, terminal.Row{"Machine key", n.keyFile})
	} else if len(made.GetMachineKey()) > 0 {
		rows = append(rows, terminal.Row{"Machine key", string(made.GetMachineKey())})
	}
	return rows
}
