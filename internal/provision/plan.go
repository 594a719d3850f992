package provision

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"castellan/internal/app"
	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/once"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/user"
	"castellan/internal/vault"
)

// plan is everything a set-up will write, decided before the transaction begins. Only times
// are missing: they are those of the write.
type plan struct {
	wish         SetUp
	defaults     defaults.Set
	customDomain string // normalised, or empty

	user    ident.UserID
	project ident.ProjectID
	console app.Add

	addInstance instance.Add
	org         []eventlog.Payload
	owner       []eventlog.Payload
	token       *pat.Add
	key         *machinekey.Add
	apps        []app.Add

	result Result
}

// plan checks the whole wish, and whether its custom domain is free, then does the slow work.
// Nothing is written.
func (s *Service) plan(ctx context.Context, actor ident.Actor, wish SetUp) (*plan, error) {
	if err := wish.checkOwner(); err != nil {
		return nil, err
	}
	set, _ := defaults.Of(defaults.Current)
	p := &plan{wish: wish, defaults: set}
	if err := s.assignIDs(ctx, p); err != nil {
		return nil, err
	}
	if err := s.planTenant(p); err != nil {
		return nil, err
	}
	orgName := cmp.Or(wish.OrgName, wish.InstanceName)
	orgDomain := org.DefaultDomain(orgName, s.ExternalDomain)
	var err error
	if p.org, err = (org.Add{Name: orgName, Domain: orgDomain}).Decide(); err != nil {
		return nil, err
	}
	if wish.Human != nil {
		err = p.planHuman(orgDomain)
	} else {
		err = p.planMachine(s.Clock.Now())
	}
	if err != nil {
		return nil, err
	}
	// The table of domains decides when it is written. Most wishes for a taken domain are found
	// here, before they have cost a hash or a key.
	if err := s.checkFree(ctx, p.customDomain); err != nil {
		return nil, err
	}
	return p, s.makeSecrets(ctx, actor, p, orgDomain)
}

// checkFree returns errDomainTaken when a custom domain, which may be empty, leads to an instance.
func (s *Service) checkFree(ctx context.Context, domain string) error {
	if domain == "" {
		return nil
	}
	taken, err := instance.DomainTaken(ctx, s.DB, domain)
	if err == nil && taken {
		err = errDomainTaken
	}
	return err
}

// assignIDs gives everything in the plan its id.
func (s *Service) assignIDs(ctx context.Context, p *plan) error {
	names := append(append([]string(nil), p.defaults.Project.APIs...), p.defaults.Project.Console)
	const fixed = 6
	ids, err := s.IDs.Next(ctx, fixed+2*len(names))
	if err != nil {
		return err
	}
	p.result.Instance, p.result.Org = ident.InstanceID(ids[0]), ident.OrgID(ids[1])
	p.user, p.project = ident.UserID(ids[2]), ident.ProjectID(ids[3])
	if m := p.wish.Machine; m != nil && m.Token != nil {
		p.token = &pat.Add{Token: ident.TokenID(ids[4]), User: p.user, Scopes: p.defaults.TokenScopes}
	}
	if m := p.wish.Machine; m != nil && m.Key != nil {
		p.key = &machinekey.Add{Key: ident.KeyID(ids[5]), User: p.user}
	}
	for i, name := range names {
		a := app.Add{
			App: ident.AppID(ids[fixed+2*i]), ClientID: ids[fixed+2*i+1], Project: p.project, Name: name,
			Console: name == p.defaults.Project.Console,
		}
		a.DevMode = a.Console && !s.Secure
		if a.Console {
			p.console = a
		}
		p.apps = append(p.apps, a)
	}
	return nil
}

// planTenant decides the instance and its domains.
func (s *Service) planTenant(p *plan) (err error) {
	p.addInstance = instance.Add{
		Name: p.wish.InstanceName, Language: p.wish.DefaultLanguage, Custom: p.wish.CustomDomain,
	}
	if p.wish.CustomDomain != "" {
		if p.customDomain, err = instance.NormalizeDomain("custom_domain", p.wish.CustomDomain); err != nil {
			return err
		}
	}
	if err := s.generateDomain(p); err != nil {
		return err
	}
	_, err = p.addInstance.Decide()
	return err
}

const (
	suffixAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	suffixLength   = 6
)

// generateDomain gives the plan a new generated domain.
func (s *Service) generateDomain(p *plan) error {
	suffix := make([]byte, 0, suffixLength)
	// 252 is the largest multiple of 36 in a byte: what lies above would favour some letters.
	const limit = 256 / len(suffixAlphabet) * len(suffixAlphabet)
	for b := make([]byte, 1); len(suffix) < suffixLength; {
		if n, err := s.Random.Read(b); n != 1 {
			return fmt.Errorf("random suffix: %w", cmp.Or(err, errShort))
		}
		if int(b[0]) < limit {
			suffix = append(suffix, suffixAlphabet[int(b[0])%len(suffixAlphabet)])
		}
	}
	p.addInstance.Generated = instance.GenerateDomain(p.wish.InstanceName, string(suffix), s.ExternalDomain)
	return nil
}

// planHuman decides the owner, whose password is not hashed yet.
func (p *plan) planHuman(orgDomain string) (err error) {
	h := p.wish.Human.inheriting(p.defaults.Owner, orgDomain)
	p.wish.Human = h
	if p.owner, err = h.decide(orgDomain, ""); err != nil || h.Password == "" {
		return err
	}
	return user.CheckPassword(p.defaults.PasswordComplexity, "human.password.password", h.Password)
}

// planMachine decides the owner, and until when its credentials last.
func (p *plan) planMachine(now time.Time) (err error) {
	m := p.wish.Machine
	if p.owner, err = (user.AddMachine{UserName: m.UserName, Name: m.Name}).Decide(); err != nil {
		return err
	}
	if p.token != nil {
		const field = "machine.personal_access_token.expiration_date"
		if p.token.ExpiresAt, err = expiry.At(now, m.Token.ExpiresAt, field); err != nil {
			return err
		}
	}
	if p.key != nil {
		const field = "machine.machine_key.expiration_date"
		p.key.ExpiresAt, err = expiry.At(now, m.Key.ExpiresAt, field)
	}
	return err
}

// makeSecrets does the slow work for a wish that is in order: it hashes the owner's password, or
// makes the owner's token and key.
func (s *Service) makeSecrets(ctx context.Context, actor ident.Actor, p *plan, orgDomain string) error {
	if h := p.wish.Human; h != nil && h.Password != "" {
		// All that one operator creates waits in one line, beside those of the instances.
		hash, err := s.Passwords.Hash(ctx, "system:"+string(actor), h.Password)
		if err != nil {
			return err
		}
		if p.owner, err = h.decide(orgDomain, hash); err != nil {
			return err
		}
	}
	if p.token != nil {
		token := vault.NewToken(s.Random)
		p.token.Hash, p.result.Token = token.Hash(), token.Reveal()
	}
	if p.key == nil {
		return nil
	}
	return s.takeKey(ctx, p)
}

// takeKey takes a key pair and divides it: the public half for the log, the private for the caller.
func (s *Service) takeKey(ctx context.Context, p *plan) error {
	key, err := s.Keys.Take(ctx)
	if err != nil {
		return err
	}
	if p.key.PublicKey, err = vault.PublicKeyPEM(&key.PublicKey); err != nil {
		return err
	}
	p.result.MachineKey, err = vault.MachineKeyFile(key, p.key.Key, p.user, p.key.ExpiresAt)
	return err
}

// commit writes the plan in one transaction: the instance, what its organization owns, and
// then which of that plays a part for the whole instance.
func (s *Service) commit(ctx context.Context, actor ident.Actor, p *plan, key *once.Key) error {
	return s.Log.Write(ctx, p.result.Instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		begun, err := p.begin(ctx, w)
		if err != nil {
			return err
		}
		p.result.Sequence, p.result.CreatedAt = begun.Sequence, begun.CreatedAt
		if key == nil {
			return nil
		}
		answer, err := json.Marshal(p.result)
		if err != nil {
			return fmt.Errorf("encode a result: %w", err)
		}
		sealer, err := w.Sealer(ctx)
		if err != nil {
			return err
		}
		// Rows are saved after this, so a concurrent call with the same key conflicts here first.
		return s.Once.Keep(ctx, w.Tx, p.result.Instance, sealer, *key, answer)
	})
}

// begin appends all events of the plan and returns the instance they make.
func (p *plan) begin(ctx context.Context, w *eventlog.Writer) (instance.State, error) {
	none := instance.State{}
	first, err := p.addInstance.Decide()
	if err != nil {
		return none, err
	}
	inst, err := eventlog.Begin(ctx, w, instance.Noun,
		eventlog.Origin{ID: string(w.Instance()), Owner: string(w.Instance())}, first...)
	if err != nil {
		return none, err
	}
	if err := p.beginOrg(ctx, w); err != nil {
		return none, err
	}
	return eventlog.Append(ctx, w, instance.Noun, inst,
		instance.DefaultOrgSet{Org: p.result.Org},
		instance.ProjectSet{Project: p.project},
		instance.ConsoleSet{ClientID: p.console.ClientID, App: p.console.App},
	)
}

// beginOrg appends the events of everything the first organization owns.
func (p *plan) beginOrg(ctx context.Context, w *eventlog.Writer) error {
	owner := string(p.result.Org)
	_, err := eventlog.Begin(ctx, w, org.Noun, eventlog.Origin{ID: owner, Owner: owner}, p.org...)
	if err == nil {
		_, err = eventlog.Begin(ctx, w, user.Noun, eventlog.Origin{ID: string(p.user), Owner: owner}, p.owner...)
	}
	if err == nil && p.token != nil {
		_, err = eventlog.Begin(ctx, w, pat.Noun, eventlog.Origin{ID: string(p.token.Token), Owner: owner}, p.token.Decide()...)
	}
	if err == nil && p.key != nil {
		_, err = eventlog.Begin(ctx, w, machinekey.Noun, eventlog.Origin{ID: string(p.key.Key), Owner: owner}, p.key.Decide()...)
	}
	for _, m := range []member.Add{
		{Org: p.result.Org, User: p.user, Roles: []string{member.OrgOwner}},
		{User: p.user, Roles: []string{member.InstanceOwner}},
	} {
		if err == nil {
			_, err = eventlog.Begin(ctx, w, member.Noun, m.Origin(w.Instance()), m.Decide()...)
		}
	}
	if err == nil {
		_, err = eventlog.Begin(ctx, w, project.Noun, eventlog.Origin{ID: string(p.project), Owner: owner},
			project.Add{Name: p.defaults.Project.Name}.Decide()...)
	}
	for _, a := range p.apps {
		if err == nil {
			_, err = eventlog.Begin(ctx, w, app.Noun, eventlog.Origin{ID: string(a.App), Owner: owner}, a.Decide()...)
		}
	}
	return err
}
