package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"castellan/internal/client"
	"castellan/internal/command"
	"castellan/internal/files"
	"castellan/internal/terminal"

	authnv1 "castellan/gen/zitadel/authn/v1"
	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// maxAnswerFile bounds the file of the first answer, in bytes.
const maxAnswerFile = 1 << 20

// firstInstance is the instance that castellan dev makes when there is none.
type firstInstance struct {
	data   devData
	domain string // its custom domain
	client *client.Client
	log    *slog.Logger
}

// ensure returns the answer with which the first instance was created, and the instance as it
// is now. It creates one when none has been, or when the one there was is gone.
func (f firstInstance) ensure(ctx context.Context) (*systemv1.CreateInstanceResponse, *instancev1.InstanceDetail, error) {
	made, err := f.saved()
	if err != nil {
		return nil, nil, err
	}
	if made != nil {
		found, err := f.client.GetInstance(ctx, made.GetInstanceId())
		if err == nil {
			return made, found.GetInstance(), f.saveKey(made)
		}
		if connect.CodeOf(err) != connect.CodeNotFound {
			return nil, nil, f.client.Explain(err)
		}
		f.log.Warn("the first instance is gone; creating another", "instance", made.GetInstanceId())
	}
	if made, err = f.create(ctx); err != nil {
		return nil, nil, f.client.Explain(err)
	}
	if err := f.save(made); err != nil {
		return nil, nil, err
	}
	found, err := f.client.GetInstance(ctx, made.GetInstanceId())
	if err != nil {
		return nil, nil, f.client.Explain(err)
	}
	return made, found.GetInstance(), nil
}

// create creates the instance. Its idempotency key is made of the request, so that a start
// that follows one which ended before the answer was saved gets the same answer.
func (f firstInstance) create(ctx context.Context) (*systemv1.CreateInstanceResponse, error) {
	request := firstRequest(f.domain)
	made, err := f.client.CreateInstance(ctx, requestKey(request), request)
	switch connect.CodeOf(err) {
	case connect.CodeNotFound:
		// What was made with this key has been removed since.
		return f.client.CreateInstance(ctx, rand.Text(), request)
	case connect.CodeAlreadyExists:
		// The answer is lost, and too old to be had again.
		f.log.Warn("another instance has the domain; the first instance goes without", "domain", f.domain)
		request = firstRequest("")
		return f.client.CreateInstance(ctx, requestKey(request), request)
	}
	return made, err
}

// firstRequest is what the first instance is to be.
func firstRequest(domain string) *systemv1.CreateInstanceRequest {
	return &systemv1.CreateInstanceRequest{
		InstanceName: "Castellan",
		CustomDomain: domain,
		Owner: &systemv1.CreateInstanceRequest_Machine_{Machine: &systemv1.CreateInstanceRequest_Machine{
			UserName:            "owner",
			Name:                "Owner",
			PersonalAccessToken: &systemv1.CreateInstanceRequest_PersonalAccessToken{},
			MachineKey:          &systemv1.CreateInstanceRequest_MachineKey{Type: authnv1.KeyType_KEY_TYPE_JSON},
		}},
	}
}

// requestKey returns the idempotency key of a request of castellan dev.
func requestKey(request *systemv1.CreateInstanceRequest) string {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		panic(err) // unreachable: the request is ours
	}
	return fmt.Sprintf("castellan-dev-%x", sha256.Sum256(wire))
}

// saved returns the answer of an earlier start, nil when there is none.
func (f firstInstance) saved() (*systemv1.CreateInstanceResponse, error) {
	path := f.data.path(devAnswerFile)
	text, err := files.Read(path, maxAnswerFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	made := &systemv1.CreateInstanceResponse{}
	if err := protojson.Unmarshal(text, made); err != nil || made.GetInstanceId() == "" {
		// The error could quote the token.
		return nil, fmt.Errorf("%s is not what castellan dev has written; remove it to get the first instance anew", path)
	}
	return made, nil
}

// save writes the answer where the next start finds it, after the key of the owner.
func (f firstInstance) save(made *systemv1.CreateInstanceResponse) error {
	if err := f.saveKey(made); err != nil {
		return err
	}
	text, err := terminal.MessageJSON(made)
	if err != nil {
		return err
	}
	return files.Replace(f.data.path(devAnswerFile), text)
}

// saveKey writes the owner's key to a file of its own, in the form in which programs take it,
// unless it is there.
func (f firstInstance) saveKey(made *systemv1.CreateInstanceResponse) error {
	path := f.data.path(devOwnerKey)
	if there, err := files.Read(path, maxAnswerFile); err == nil && bytes.Equal(there, made.GetMachineKey()) {
		return nil
	}
	return files.Replace(path, made.GetMachineKey())
}

// greeting is what castellan dev prints once it is ready.
type greeting struct {
	url, local string // as tokens name the server, and where it is reached from here
	id         client.Identity
	made       *systemv1.CreateInstanceResponse
	instance   *instancev1.InstanceDetail
	ownerKey   string
	executable string
}

// String returns the text to print. Its commands work in every directory, in POSIX shells and fish.
func (g greeting) String() string {
	var b strings.Builder
	b.WriteString("\ncastellan is ready.\n\n")
	rows := []terminal.Row{{"URL", g.url}, {"Instance", fmt.Sprintf("%s (%s)", g.instance.GetId(), g.instance.GetName())}}
	for _, d := range g.instance.GetDomains() {
		rows = append(rows, terminal.Row{"Domain", command.DomainText(d)})
	}
	rows = append(rows,
		terminal.Row{"Owner's token", g.made.GetPat()}, terminal.Row{"Owner's key", g.ownerKey},
		terminal.Row{"System user", g.id.User}, terminal.Row{"System key", g.id.Key})
	terminal.Must(terminal.WriteTable(&b, rows)) // a builder takes everything

	const wish = `{"instanceName":"Example","machine":{"userName":"owner","name":"Owner",` +
		`"personalAccessToken":{},"machineKey":{"type":"KEY_TYPE_JSON"}}}`
	fmt.Fprintf(&b, "\nCreate an instance:\n\n%s\n\nLook at the first instance:\n\n%s\n\nThe same without curl:\n\n%s\n\nCtrl-C stops the server.\n",
		g.curl("/system/v1/instances/_create", "-X POST -H 'Content-Type: application/json' -d '"+wish+"'"),
		g.curl("/system/v1/instances/"+g.instance.GetId(), ""),
		fmt.Sprintf("%s instance get %s --server %s %s", terminal.Quote(g.executable), g.instance.GetId(), terminal.Quote(g.local), g.who()))
	return b.String()
}

// curl returns the line that calls path with a token made on the spot.
func (g greeting) curl(path, options string) string {
	if options != "" {
		options += " "
	}
	token := terminal.Quote(g.executable) + " token " + g.who()
	return fmt.Sprintf(`curl -sS -H "Authorization: Bearer $(%s)" %s%s`, token, options, terminal.Quote(g.local+path))
}

// who returns the flags that say who calls, and whom.
func (g greeting) who() string {
	return fmt.Sprintf("--key %s --user %s --audience %s", terminal.Quote(g.id.Key), terminal.Quote(g.id.User), terminal.Quote(g.url))
}
