package revocation

import (
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"castellan/tests/kit"

	adminv1 "castellan/gen/zitadel/admin/v1"
	authv1 "castellan/gen/zitadel/auth/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// Outcomes of RPCs.
const (
	unknownCaller = "Unauthenticated AUTH-7fs1e"
	notAllowed    = "PermissionDenied AUTH-5mWD2"
	isStopped     = "Unavailable INST-stop1"
	isBlocked     = "ResourceExhausted LIMITS-molsj"
)

// Outcomes of endpoints of an issuer.
const (
	badGrant    = "400 invalid_grant"
	badExchange = "400 invalid_request"
	badTarget   = "400 invalid_target"
	mayNot      = "403 invalid_request"
	unknownApp  = "400 unauthorized_client"
	badToken    = "401 access_denied"
)

// served is what every endpoint of an issuer needs, and then what else is given.
func served(more ...need) []need {
	return append([]need{{[]string{"host"}, "404"}, {[]string{"running"}, "503"}, {[]string{"unblocked"}, "429"}}, more...)
}

// byToken is what every RPC of a user needs that shows a token, and then what else is given. Who calls comes before
// what is called (decision D2), so at a host that leads nowhere nobody is known.
func byToken(token string, more ...need) []need {
	return append([]need{{[]string{"host", token}, unknownCaller}, {[]string{"running"}, isStopped}, {[]string{"unblocked"}, isBlocked}}, more...)
}

// shown are the tokens that are shown everywhere, and who they are for.
var shown = []struct {
	token string
	// forAPI says that it is meant for the APIs of the instance.
	forAPI bool
}{
	{"robot's PAT", true}, {"robot's token by key", true}, {"robot's token by secret", true}, {"robot's token by assertion", true},
	{"signer's JWT", true}, {"agent's token", true}, {"web's token for robot's PAT", false}, {"native's token for robot's token", true},
	{"web's token for native's token", true}, {"spa's JWT for robot's token", true}, {"robot by agent", false},
	{"robot's token by agent's token", false},
}

// paths are all ways to get something and to have something accepted.
var paths = slices.Concat(accepting(), bound(), getting(), refreshing(), impersonating(), telling(), revoking(), managing(), open())

// accepting are the paths of every token to where it is shown.
func accepting() (all []path) {
	add := func(name string, needs []need, try func(w *world, node int) string) {
		all = append(all, path{name, needs, try})
	}
	for _, s := range shown {
		text := func(w *world) string { return w.text[s.token] }
		token := []string{s.token}
		wires := []kit.Wire{kit.GRPC()}
		if slices.Contains([]string{"robot's PAT", "robot's token by key", "signer's JWT"}, s.token) {
			wires = slices.DeleteFunc(kit.Wires(), func(w kit.Wire) bool { return !slices.Contains([]string{"rest", "grpc", "connect"}, w.Name) })
		}
		for _, wire := range wires {
			if !s.forAPI {
				break
			}
			add(s.token+" to GetMyUser over "+wire.Name, byToken(s.token), func(w *world, node int) string {
				return w.call(node, wire, "zitadel.auth.v1.AuthService/GetMyUser", &authv1.GetMyUserRequest{}, nil, text(w))
			})
		}
		add(s.token+" to userinfo", served(need{token, badToken}), func(w *world, node int) string {
			return w.userinfo(node, text(w)).String()
		})
		for _, c := range []client{basic("api"), byKey("service")} {
			add(s.token+" to introspection by "+c.name, served(need{[]string{c.on}, unknownApp}, need{token, "inactive"}), func(w *world, node int) string {
				got, _ := w.introspect(node, c, text(w))
				return got
			})
		}
		for _, c := range []client{basic("web"), byKey("native")} {
			add(s.token+" as subject to exchange by "+c.name, served(c.need(), need{token, badExchange}), func(w *world, node int) string {
				return w.exchange(node, c, text(w), accessToken).String()
			})
		}
	}
	for _, c := range []client{inForm("web"), byKey("native")} {
		add("robot's ID token as subject to exchange by "+c.name, served(c.need(), need{[]string{"robot's ID token"}, badExchange}),
			func(w *world, node int) string {
				return w.exchange(node, c, w.text["robot's ID token"], idToken).String()
			})
	}
	add("signer's JWT to who has the key set", served(need{[]string{"signing key"}, "no key"}), func(w *world, node int) string {
		return w.verify(node, w.text["signer's JWT"])
	})
	return append(all, shownByProxy()...)
}

// shownByProxy are paths through a proxy that shows the instance under another domain (contract section 3.3).
func shownByProxy() []path {
	const token = "robot's token by key"
	trusted := need{[]string{"host", "trusted domain"}, "404"}
	by := func(w *world) http.Header { return http.Header{"X-Zitadel-Public-Host": {w.public()}} }
	return []path{
		{"GET the discovery document by a proxy", append([]need{trusted}, served()...), func(w *world, node int) string {
			return w.ask(node, "/.well-known/openid-configuration", nil, by(w)).String()
		}},
		{token + " to userinfo by a proxy", append([]need{trusted}, served(need{[]string{token}, badToken})...), func(w *world, node int) string {
			h := by(w)
			h.Set("Authorization", "Bearer "+w.text[token])
			return w.ask(node, "/oidc/v1/userinfo", nil, h).String()
		}},
		{token + " to GetMyUser by a proxy", append([]need{{[]string{"host", token}, unknownCaller}, {trusted.of, "NotFound"}}, byToken(token)...),
			func(w *world, node int) string {
				return outcome(kit.REST().Send(w, w.at[node], kit.Call{
					Method: "zitadel.auth.v1.AuthService/GetMyUser", Request: &authv1.GetMyUserRequest{}, Token: w.text[token], Header: by(w),
				}, nil))
			}},
	}
}

// bound are the paths of a token that is bound to a key.
func bound() []path {
	const token = "robot's bound token"
	return []path{
		{token + " to userinfo", served(need{[]string{token}, badToken}), func(w *world, node int) string {
			return w.ask(node, "/oidc/v1/userinfo", nil, w.bound(http.MethodGet, "/oidc/v1/userinfo", w.text[token])).String()
		}},
		{token + " to GetMyUser", byToken(token), func(w *world, node int) string {
			const method = "zitadel.auth.v1.AuthService/GetMyUser"
			return outcome(kit.GRPC().Send(w, w.at[node], kit.Call{
				Method: method, Request: &authv1.GetMyUserRequest{}, Header: w.bound(http.MethodPost, kit.Path(method), w.text[token]),
			}, nil))
		}},
		{token + " to introspection", served(need{[]string{"api's secret"}, unknownApp}, need{[]string{token}, "inactive"}),
			func(w *world, node int) string {
				got, _ := w.introspect(node, basic("api"), w.text[token])
				return got
			}},
	}
}

// refreshing are the uses of refresh tokens, and of the access tokens beside them. A refresh asks again what was asked
// when the session began (record 0017). One that is refused uses nothing up.
func refreshing() (all []path) {
	for _, r := range []struct {
		name string
		c    client
		asks []string
	}{
		{"web's refresh token", basic("web"), nil},
		{"gate's refresh token", inForm("gate"), []string{"authorization as guest"}},
		{"native's refresh token by agent", byKey("native"), []string{"agent's role"}},
	} {
		token := need{[]string{r.name}, badGrant}
		all = append(all,
			path{r.name + " to introspection", served(need{[]string{r.c.on}, unknownApp}, need{append(r.asks, r.name), "inactive"}),
				func(w *world, node int) string {
					got, _ := w.introspect(node, r.c, w.text[r.name], "token_type_hint", "refresh_token")
					return got
				}},
			path{"access token beside " + r.name + " to userinfo", served(need{token.of, badToken}), func(w *world, node int) string {
				return w.userinfo(node, w.beside[r.name]).String()
			}},
			path{r.name, served(r.c.need(), need{append(r.asks, r.name), badGrant}), func(w *world, node int) string {
				return w.refresh(node, r.c, r.name)
			}})
	}
	return all
}

// getting are the grants by all ways to authenticate.
func getting() (all []path) {
	profile := need{[]string{"robot's key"}, badGrant}
	all = []path{
		{"JWT profile of robot", served(profile), func(w *world, node int) string { return w.profile(node, "robot").String() }},
		{"JWT profile of signer, to who has the key set", served(need{[]string{"signer's key"}, badGrant}), func(w *world, node int) string {
			a := w.profile(node, "signer")
			if got := a.String(); got != works {
				return got
			}
			return w.verify(node, a.text("access_token"))
		}},
		{"JWT profile of signer for shop", served(need{[]string{"signer's key"}, badGrant}, need{[]string{"shop"}, "no audience"}),
			func(w *world, node int) string {
				a := w.profile(node, "signer")
				if got := a.String(); got != works {
					return got
				}
				if to, _ := w.payload(a.text("access_token"))["aud"].([]any); !slices.Contains(to, any(w.id["shop"])) {
					return "no audience"
				}
				return works
			}},
	}
	for _, c := range []client{basic("robot"), inForm("robot"), byKey("robot")} {
		all = append(all, path{"client credentials by " + c.name, served(c.need()), func(w *world, node int) string {
			return w.token(node, c, clientCredentials, "scope", w.scope()).String()
		}}, path{"client credentials for a resource by " + c.name, served(c.need(), need{[]string{"shop"}, badTarget}), func(w *world, node int) string {
			return w.token(node, c, clientCredentials, "resource", "urn:zitadel:iam:org:project:id:"+w.id["shop"]).String()
		}})
	}
	subject := need{[]string{"robot's PAT"}, badExchange}
	for _, c := range []client{inForm("web"), public("spa")} {
		all = append(all, path{"exchange by " + c.name, served(c.need(), subject), func(w *world, node int) string {
			return w.exchange(node, c, w.text["robot's PAT"], accessToken).String()
		}})
	}
	gate := basic("gate")
	return append(all, path{"exchange where an authorization is required", served(gate.need(), subject, need{[]string{"authorization as guest"}, mayNot}),
		func(w *world, node int) string {
			return w.exchange(node, gate, w.text["robot's PAT"], accessToken).String()
		}})
}

// impersonating are the exchanges with an actor.
func impersonating() (all []path) {
	for _, actor := range []string{"agent's PAT", "agent's token"} {
		acts := []need{{[]string{actor}, badExchange}, {[]string{"agent's role"}, mayNot}}
		add := func(name string, c client, subject string, kind string, text func(w *world) string) {
			needs := served(append([]need{c.need(), {[]string{subject}, badExchange}}, acts...)...)
			all = append(all, path{name + " and " + actor + " as actor to exchange by " + c.name, needs, func(w *world, node int) string {
				return w.exchange(node, c, text(w), kind, "actor_token", w.text[actor], "actor_token_type", accessToken).String()
			}})
		}
		add("robot's id", basic("web"), "robot", userID, func(w *world) string { return w.id["robot"] })
		add("robot's name, signed by native,", byKey("native"), "robot", jwt, func(w *world) string {
			return w.assertion("native's key", w.clientID("native"), "robot")
		})
		add("robot's token by key", inForm("web"), "robot's token by key", accessToken, func(w *world) string {
			return w.text["robot's token by key"]
		})
	}
	return all
}

// telling are the paths by which roles are told.
func telling() (all []path) {
	token := need{[]string{"robot's token by key"}, badToken}
	for role, on := range map[string]string{"buyer": "shop", "seller": "shop", "partner": "shop", "guest": "club"} {
		held := need{[]string{"authorization as " + role}, "no role"}
		add := func(name string, needs []need, told func(w *world, node int) (string, map[string]any)) {
			all = append(all, path{"role " + role + " in " + name, append(needs, held), func(w *world, node int) string {
				got, body := told(w, node)
				if got != works {
					return got
				}
				return hasRole(body, w.id[on], role)
			}})
		}
		add("userinfo", served(token), func(w *world, node int) (string, map[string]any) {
			a := w.userinfo(node, w.text["robot's token by key"])
			return a.String(), a.body
		})
		add("a new ID token", served(need{[]string{"robot's key"}, badGrant}), func(w *world, node int) (string, map[string]any) {
			a := w.profile(node, "robot")
			if got := a.String(); got != works {
				return got, nil
			}
			return works, w.payload(a.text("id_token"))
		})
		add("a JWT for another token", served(public("spa").need(), need{[]string{"robot's token by key"}, badExchange}),
			func(w *world, node int) (string, map[string]any) {
				a := w.exchange(node, public("spa"), w.text["robot's token by key"], accessToken, "requested_token_type", jwt)
				if got := a.String(); got != works {
					return got, nil
				}
				return works, w.payload(a.text("access_token"))
			})
		if on != "shop" {
			continue // introspection tells of the project of who asks
		}
		asks := served(need{[]string{"api's secret"}, unknownApp}, need{token.of, "inactive"})
		add("introspection", asks, func(w *world, node int) (string, map[string]any) {
			got, a := w.introspect(node, basic("api"), w.text["robot's token by key"])
			return got, a.body
		})
	}
	slices.SortFunc(all, func(a, b path) int { return strings.Compare(a.name, b.name) })
	return all
}

// revoking are the clients of the revocation endpoint: what they revoke is nothing.
func revoking() (all []path) {
	for _, c := range []client{basic("web"), inForm("web"), byKey("native"), public("spa"), basic("robot"), inForm("robot"), byKey("robot")} {
		all = append(all, path{"revocation by " + c.name, served(c.need()), func(w *world, node int) string {
			return w.send(node, "/oauth/v2/revoke", c, "token", "nothing").String()
		}})
	}
	return all
}

// managing are calls that need a role.
func managing() (all []path) {
	for _, token := range []string{"clerk's PAT", "clerk's token"} {
		all = append(all, path{token + " to change publisher", byToken(token, need{[]string{"clerk's role"}, notAllowed}), func(w *world, node int) string {
			return w.call(node, kit.GRPC(), orgs+"SetOrganizationMetadata", &orgv2.SetOrganizationMetadataRequest{
				OrganizationId: w.id["publisher"], Metadata: []*orgv2.Metadata{{Key: "note", Value: []byte("x")}},
			}, nil, w.text[token])
		}})
	}
	return append(all,
		path{"keeper's PAT to change shop", byToken("keeper's PAT", need{[]string{"keeper's role"}, notAllowed}), func(w *world, node int) string {
			return w.call(node, kit.GRPC(), projects+"UpdateProjectRole", &projectv2.UpdateProjectRoleRequest{
				ProjectId: w.id["shop"], RoleKey: "guest", DisplayName: proto.String("Guest"),
			}, nil, w.text["keeper's PAT"])
		}},
		path{"auditor's PAT to GetMyInstance", byToken("auditor's PAT", need{[]string{"auditor's role"}, notAllowed}), func(w *world, node int) string {
			return w.call(node, kit.REST(), "zitadel.admin.v1.AdminService/GetMyInstance", &adminv1.GetMyInstanceRequest{}, nil, w.text["auditor's PAT"])
		}},
		path{"auditor's stream of events", byToken("auditor's PAT", need{[]string{"auditor's role"}, notAllowed}), (*world).tail},
		path{"system user to GetInstance by host", []need{
			{[]string{"system user"}, unknownCaller}, {[]string{"host"}, "NotFound"}, {[]string{"running"}, isStopped}, {[]string{"unblocked"}, isBlocked},
		}, func(w *world, node int) string {
			k := w.key["system user"]
			return w.call(node, kit.GRPC(), "zitadel.instance.v2.InstanceService/GetInstance", &instancev2.GetInstanceRequest{}, nil,
				w.systemToken(kit.User{Name: k.id, Key: k.signer}))
		}},
		path{"operator to GetInstance", []need{{[]string{"instance"}, "NotFound"}}, func(w *world, node int) string {
			return outcome(kit.REST().Send(w, w.nodes[node].Client, kit.Call{
				Method: "GetInstance", Request: &systemv1.GetInstanceRequest{InstanceId: w.id["instance"]}, Token: w.systemToken(kit.Operator()),
			}, nil))
		}},
	)
}

// open is what everybody may read of an issuer.
func open() (all []path) {
	for _, at := range []string{"/.well-known/openid-configuration", "/oauth/v2/keys"} {
		all = append(all, path{"GET " + at, served(), func(w *world, node int) string { return w.ask(node, at, nil, nil).String() }})
	}
	return all
}
