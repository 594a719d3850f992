package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"castellan/internal/client"
	"castellan/internal/files"
	"castellan/internal/terminal"

	lifecyclev1 "castellan/gen/castellan/system/v1"
)

// maxPublicKey bounds the file of a public key, in bytes: no server takes a longer one.
const maxPublicKey = 16384

// systemUser returns `castellan system-user`.
func (c *Commands) systemUser() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "system-user", Short: "Look after the users of the System API, and make keys for them"},
		c.keygen(), c.listSystemUsers(), c.addSystemUser(), c.rotateKey(), c.removeSystemUser())
}

// listSystemUsers returns `castellan system-user list`.
func (c *Commands) listSystemUsers() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the system users of a server",
		Long: `list shows the system users of the server's configuration and those that were added. A key is
shown by the beginning of the SHA-256 of it; --output json shows the whole.`,
		Example: "  castellan system-user list",
		Args:    terminal.Arguments(),
	}
	return client.List(c.Surroundings, cmd, lifecyclev1.InstanceLifecycleService_ListSystemUsers_FullMethodName, nil,
		func([]string, client.Page) (*lifecyclev1.ListSystemUsersRequest, error) {
			return &lifecyclev1.ListSystemUsersRequest{}, nil
		},
		func(r *lifecyclev1.ListSystemUsersResponse) ([]*lifecyclev1.SystemUser, uint64) {
			return r.GetResult(), 0
		},
		terminal.Row{"USER", "SOURCE", "KEYS", "MEMBERSHIPS"},
		func(u *lifecyclev1.SystemUser) terminal.Row {
			source := enumText(u.GetSource().String(), "SYSTEM_USER_SOURCE_")
			if u.GetOverridden() {
				source += " (overridden)"
			}
			return terminal.Row{u.GetId(), source, keysText(u.GetKeys()), membershipsText(u.GetMemberships())}
		})
}

// keysText shows which keys a user has, with the end of those that have one.
func keysText(keys []*lifecyclev1.SystemUserKey) string {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = fmt.Sprintf("%.16s", k.GetFingerprint())
		switch {
		case k.GetKeptUntil() != nil:
			texts[i] += " until " + date(k.GetKeptUntil())
		case k.GetNotAfter() != nil:
			texts[i] += " until " + date(k.GetNotAfter())
		}
	}
	return strings.Join(texts, ", ")
}

// scopes are what memberships are for.
var scopes = []word[lifecyclev1.MembershipType]{
	{"system", lifecyclev1.MembershipType_MEMBERSHIP_TYPE_SYSTEM},
	{"instance", lifecyclev1.MembershipType_MEMBERSHIP_TYPE_INSTANCE},
	{"organization", lifecyclev1.MembershipType_MEMBERSHIP_TYPE_ORGANIZATION},
}

// membershipsText shows memberships as --membership takes them.
func membershipsText(all []*lifecyclev1.Membership) string {
	texts := make([]string, len(all))
	for i, m := range all {
		scope := enumText(m.GetType().String(), "MEMBERSHIP_TYPE_")
		if m.GetAggregateId() != "" {
			scope += ":" + m.GetAggregateId()
		}
		texts[i] = scope + "=" + strings.Join(m.GetRoles(), ",")
	}
	return strings.Join(texts, " ")
}

// parseMembership reads SCOPE=ROLE,..., where SCOPE is system, instance:ID or organization:ID. What
// roles there are the server decides.
func parseMembership(text string) (*lifecyclev1.Membership, error) {
	scope, roles, ok := strings.Cut(text, "=")
	if !ok || roles == "" {
		return nil, errors.New("must be SCOPE=ROLE,..., such as system=SYSTEM_OWNER or instance:123=IAM_OWNER")
	}
	kind, id, _ := strings.Cut(scope, ":")
	membership, err := parseWord("the scope", scopes, kind)
	if err != nil {
		return nil, err
	}
	if (id == "") != (membership == lifecyclev1.MembershipType_MEMBERSHIP_TYPE_SYSTEM) {
		return nil, errors.New("the scope must be system, instance:ID or organization:ID")
	}
	return &lifecyclev1.Membership{Type: membership, AggregateId: id, Roles: strings.Split(roles, ",")}, nil
}

// addPublicKey gives cmd the flag for a public key, and returns what reads it.
func addPublicKey(cmd *cobra.Command) func() (string, error) {
	path := cmd.Flags().String("public-key", "", "`file` with the public key, or a certificate (PEM)")
	terminal.Must(cmd.MarkFlagRequired("public-key"))
	terminal.Must(cmd.MarkFlagFilename("public-key", "pem", "crt"))
	return func() (string, error) {
		text, err := files.Read(*path, maxPublicKey)
		return string(text), err
	}
}

// addSystemUser returns `castellan system-user add`.
func (c *Commands) addSystemUser() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a system user to a server",
		Long: `add lets a system user call, at once and on every node. 'castellan system-user keygen' makes a key
pair. A membership is what the user may do: its scope (system, instance:ID or organization:ID) and
roles in it. Nobody can give what they do not have.`,
		Example: `  castellan system-user add ops --public-key ops.pub.pem --membership system=SYSTEM_OWNER
  castellan system-user add reader --public-key reader.pub.pem --membership system=SYSTEM_OWNER_VIEWER`,
		Args: terminal.Arguments("NAME"),
	}
	key := addPublicKey(cmd)
	memberships := cmd.Flags().StringArray("membership", nil, "what the user may do, as `SCOPE=ROLE,...`; can be repeated")
	terminal.Must(cmd.MarkFlagRequired("membership"))
	return client.One(c.Surroundings, cmd, lifecyclev1.InstanceLifecycleService_AddSystemUser_FullMethodName,
		func(args []string) (*lifecyclev1.AddSystemUserRequest, error) {
			public, err := key()
			if err != nil {
				return nil, err
			}
			request := &lifecyclev1.AddSystemUserRequest{Id: args[0], PublicKey: public}
			for _, text := range *memberships {
				m, err := parseMembership(text)
				if err != nil {
					return nil, terminal.Usagef("--membership %.300q: %w", text, err)
				}
				request.Memberships = append(request.Memberships, m)
			}
			return request, nil
		},
		func(_ []string, r *lifecyclev1.AddSystemUserResponse) []terminal.Row {
			return []terminal.Row{{"System user", r.GetId()}, {"Added", date(r.GetDetails().GetCreationDate())}}
		})
}

// rotateKey returns `castellan system-user rotate-key`.
func (c *Commands) rotateKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-key NAME",
		Short: "Give a system user of a server another key",
		Long: `rotate-key gives a system user that was added another key. With --keep-previous-for the one before
counts too for a while, so that clients can change over.`,
		Example: "  castellan system-user rotate-key ops --public-key ops2.pub.pem --keep-previous-for 1h",
		Args:    terminal.Arguments("NAME"),
	}
	key := addPublicKey(cmd)
	keep := cmd.Flags().Duration("keep-previous-for", 0, "how long the key before counts too, at most 24h")
	return client.One(c.Surroundings, cmd, lifecyclev1.InstanceLifecycleService_RotateSystemUserKey_FullMethodName,
		func(args []string) (*lifecyclev1.RotateSystemUserKeyRequest, error) {
			public, err := key()
			if err != nil {
				return nil, err
			}
			request := &lifecyclev1.RotateSystemUserKeyRequest{Id: args[0], PublicKey: public}
			if *keep != 0 {
				request.KeepPreviousFor = durationpb.New(*keep)
			}
			return request, nil
		},
		func(args []string, r *lifecyclev1.RotateSystemUserKeyResponse) []terminal.Row {
			return []terminal.Row{{"System user", args[0]}, {"Changed", dateOf(r.GetDetails())}}
		})
}

// removeSystemUser returns `castellan system-user remove`.
func (c *Commands) removeSystemUser() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a system user from a server",
		Example: "  castellan system-user remove ops",
		Args:    terminal.Arguments("NAME"),
	}
	return client.One(c.Surroundings, cmd, lifecyclev1.InstanceLifecycleService_RemoveSystemUser_FullMethodName,
		func(args []string) (*lifecyclev1.RemoveSystemUserRequest, error) {
			return &lifecyclev1.RemoveSystemUserRequest{Id: args[0]}, nil
		},
		func(args []string, r *lifecyclev1.RemoveSystemUserResponse) []terminal.Row {
			return []terminal.Row{{"System user", args[0]}, {"Removed", dateOf(r.GetDetails())}}
		},
		client.Ask(c.Surroundings, cmd, func(args []string) string {
			return fmt.Sprintf("The system user %s can no longer call, on any node.", args[0])
		}))
}
