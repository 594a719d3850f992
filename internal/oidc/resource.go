package oidc

import (
	"net/url"
	"slices"
	"strings"

	"castellan/internal/claims"
	"castellan/internal/ident"
)

// Resource indicators (RFC 8707) name who an access token is for: the issuer itself, for the APIs of the
// instance, or a project, by a URN with its id or the name of the instance's own.
const (
	resourceProject = "urn:zitadel:iam:org:project:id:"
	resourceOwn     = "zitadel"
)

// codeInvalidTarget says that a token cannot be had for a resource or an audience (RFC 8707 section 2, RFC
// 8693 section 2.2.2).
const codeInvalidTarget = "invalid_target"

// maxTargets is how many resources, and how many audiences, a request may name.
const maxTargets = 20

// resources returns the projects that the resource parameters of a request name, and whether they name the
// instance's own. It returns invalid_target for what names none.
func (r *tokenRequest) resources() (projects []ident.ProjectID, own bool, err error) {
	named := r.form.all("resource")
	if len(named) > maxTargets {
		return nil, false, newError(codeInvalidTarget, "there are more than %d resources", maxTargets)
	}
	for _, resource := range named {
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			return nil, false, newError(codeInvalidTarget, "a resource must be an absolute URI without fragment")
		}
		id, isProject := strings.CutPrefix(resource, resourceProject)
		switch {
		case strings.TrimSuffix(resource, "/") == r.Issuer, isProject && id == resourceOwn:
			own = true
		case isProject && id != "":
			projects = append(projects, ident.ProjectID(id))
		default:
			return nil, false, newError(codeInvalidTarget, "a resource is the issuer, or %s with the id of a project", resourceProject)
		}
	}
	return projects, own, nil
}

// audience returns who the tokens of a request are for: the resources it names, or else the projects its
// scopes name (contract section 5.2). A project that is not there is dropped from scopes, and refused as a
// resource, with invalid_target.
func (p *Provider) audience(r *tokenRequest) ([]string, error) {
	if r.form.has("resource") {
		return p.targets(r)
	}
	wish := r.scopes.Wish()
	return p.Claims.Audience(r.Context(), r.Instance.ID, wish.Projects, wish.OwnProject)
}

// targets returns the projects that the resources of a request name, all of which have to be of use.
func (p *Provider) targets(r *tokenRequest) ([]string, error) {
	projects, own, err := r.resources()
	if err != nil {
		return nil, err
	}
	audience, err := p.Claims.Audience(r.Context(), r.Instance.ID, projects, false)
	if err != nil {
		return nil, err
	}
	missing := slices.ContainsFunc(projects, func(id ident.ProjectID) bool { return !slices.Contains(audience, string(id)) })
	if own && !missing {
		it, err := p.Claims.Audience(r.Context(), r.Instance.ID, nil, true)
		if err != nil {
			return nil, err
		}
		missing = len(it) == 0
		if !missing && !slices.Contains(audience, it[0]) {
			audience = append(audience, it[0])
		}
	}
	if missing {
		return nil, newError(codeInvalidTarget, "a resource is not there, or not of use")
	}
	return audience, nil
}

// wanted returns which audience a request names, by audience parameters (RFC 8693 section 2.1: ids of clients
// and projects) and resources; none when it names none.
func (p *Provider) wanted(r *tokenRequest) ([]string, error) {
	wanted := r.form.all("audience")
	if len(wanted) > maxTargets {
		return nil, newError(codeInvalidTarget, "there are more than %d audiences", maxTargets)
	}
	if r.form.has("resource") {
		of, err := p.targets(r)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, of...)
	}
	return wanted, nil
}

// narrowed returns which of the allowed audience is wanted; all when nothing is. It returns invalid_target for
// what is not among it.
func narrowed(wanted, allowed []string) ([]string, error) {
	if len(wanted) == 0 {
		return allowed, nil
	}
	var narrowed []string
	for _, id := range wanted {
		if !slices.Contains(allowed, id) {
			return nil, newError(codeInvalidTarget, "an audience is not one of the tokens that are shown")
		}
		if !slices.Contains(narrowed, id) {
			narrowed = append(narrowed, id)
		}
	}
	return narrowed, nil
}

// meant returns the scopes of a token whose audience the request has named, without those for other projects:
// whoever gets the token is told the roles on its own alone.
func (r *tokenRequest) meant(scopes claims.Scopes, audience []string) claims.Scopes {
	return scopes.Meant(audience, r.Instance.Project)
}
