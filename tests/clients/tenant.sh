#!/usr/bin/env bash
# From one call of the System API to tokens, roles and organizations, with nothing but the clients of others:
# curl (REST), grpcurl (gRPC, by reflection), connect-web, openid-client and oauth4webapi (JavaScript), go-oidc
# and x/oauth2 (Go). Every step is checked, and the first that fails ends the script and says so.
#
# It is a test of `make test-clients`, and an example. To run it beside `make run`:
#
#   (cd tests/clients && npm ci)
#   CASTELLAN_TOKEN=$(bin/castellan token) tests/clients/tenant.sh
set -Eeuo pipefail
cd "$(dirname "$0")"

URL=${CASTELLAN_URL:-http://localhost:8080}
TOKEN=${CASTELLAN_TOKEN:?must be a token of a system user, as \`bin/castellan token\` makes it}
GRPCURL=${GRPCURL:-$(go -C ../../tools/grpcurl tool -n grpcurl)}
ADDRESS=${URL#http://}

# ---- how calls are made -----------------------------------------------------------------------

step() { printf '%s\n' "-- $*"; }
fail() { printf 'tenant.sh: %s\n' "$*" >&2; exit 1; }
trap 'printf "tenant.sh: line %s failed: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR

# rest TOKEN METHOD URL [JSON]: a call by REST, or in Connect's JSON, which looks the same.
rest() {
	local answer
	answer=$(curl -sS -w '\n%{http_code}' -X "$2" -H "Authorization: Bearer $1" \
		${4:+-H "Content-Type: application/json" -d "$4"} "$3")
	[[ ${answer##*$'\n'} == 2* ]] || fail "$2 $3 ${4-} answers $answer"
	printf '%s\n' "${answer%$'\n'*}"
}

# refused STATUS TOKEN METHOD URL [JSON]: a call that has to be refused.
refused() {
	local answer
	answer=$(curl -sS -w '\n%{http_code}' -X "$3" -H "Authorization: Bearer $2" \
		${5:+-H "Content-Type: application/json" -d "$5"} "$4")
	[[ ${answer##*$'\n'} == "$1" ]] || fail "$3 $4 ${5-} answers $answer, and not $1"
}

# grpc TOKEN METHOD JSON: a call by gRPC at the host of the instance; its messages are known by reflection.
grpc() {
	"$GRPCURL" -plaintext -authority "${ACME#http://}" -H "authorization: Bearer $1" -d "$3" "$ADDRESS" "$2" 2>&1 ||
		fail "$2 $3 is refused"
}

# field NAME JSON: the value of the first field of this name.
field() {
	grep -oE "\"$1\": *\"[^\"]*\"" <<<"$2" | head -1 | cut -d'"' -f4 || fail "there is no $1 in $2"
}

# shows TEXT JSON, hides TEXT JSON: whether something is in an answer.
shows() { [[ $2 == *"$1"* ]] || fail "there is no $1 in $2"; }
hides() { [[ $2 != *"$1"* ]] || fail "there is $1 in $2"; }

# ---- two instances ----------------------------------------------------------------------------

# instance NAME: makes one whose owner is a machine, with a token and a key; says where it is, and both.
instance() {
	local made found
	made=$(rest "$TOKEN" POST "$URL/system/v1/instances/_create" '{"instanceName": "'"$1"'", "machine": {"userName": "owner",
		"name": "Owner", "personalAccessToken": {}, "machineKey": {"type": "KEY_TYPE_JSON"}}}')
	found=$(rest "$TOKEN" GET "$URL/system/v1/instances/$(field instanceId "$made")")
	echo "http://$(field domain "$found"):${URL##*:} $(field pat "$made") $(field machineKey "$made")"
}

step "two instances, by curl: each call has made a complete one"
made=$(instance Acme) && read -r ACME OWNER_PAT OWNER_KEY <<<"$made"
made=$(instance Globex) && read -r GLOBEX GLOBEX_PAT _ <<<"$made"
shows '"userName":"owner"' "$(rest "$OWNER_PAT" GET "$ACME/auth/v1/users/me")"

# ---- two organizations ------------------------------------------------------------------------

# machine TOKEN ORGANIZATION NAME [KIND]: a machine user, whose access tokens are of a kind.
machine() {
	field id "$(rest "$1" POST "$ACME/v2/users/new" '{"organizationId": "'"$2"'", "username": "'"$3"'",
		"machine": {"name": "The '"$3"'", "accessTokenType": "'"${4-ACCESS_TOKEN_TYPE_BEARER}"'"}}')"
}

# organization NAME: makes one with an owner; says their ids, and a token of the owner.
organization() {
	local org owner
	org=$(field organizationId "$(rest "$OWNER_PAT" POST "$ACME/v2/organizations" '{"name": "'"$1"'"}')")
	owner=$(machine "$OWNER_PAT" "$org" "owner of $1")
	rest "$OWNER_PAT" POST "$ACME/zitadel.internal_permission.v2.InternalPermissionService/CreateAdministrator" \
		'{"userId": "'"$owner"'", "resource": {"organizationId": "'"$org"'"}, "roles": ["ORG_OWNER"]}' >/dev/null
	echo "$org $(field token "$(rest "$OWNER_PAT" POST "$ACME/v2/users/$owner/pats" '{"expirationDate": "2999-01-01T00:00:00Z"}')")"
}

step "two organizations with an owner each, by curl"
made=$(organization North) && read -r NORTH NORTH_PAT <<<"$made"
made=$(organization South) && read -r SOUTH SOUTH_PAT <<<"$made"

step "a project of North with roles, one of them granted to South, by grpcurl"
PROJECTS=zitadel.project.v2.ProjectService
shows CreateProjectGrant "$("$GRPCURL" -plaintext "$ADDRESS" describe $PROJECTS)"
SHOP=$(field projectId "$(grpc "$NORTH_PAT" $PROJECTS/CreateProject '{"organization_id": "'"$NORTH"'", "name": "Shop"}')")
HIDDEN=$(field projectId "$(grpc "$NORTH_PAT" $PROJECTS/CreateProject '{"organization_id": "'"$NORTH"'", "name": "Hidden"}')")
for role in reader writer; do
	grpc "$NORTH_PAT" $PROJECTS/AddProjectRole '{"project_id": "'"$SHOP"'", "role_key": "'$role'", "display_name": "'$role'"}' >/dev/null
done
grpc "$NORTH_PAT" $PROJECTS/CreateProjectGrant '{"project_id": "'"$SHOP"'", "granted_organization_id": "'"$SOUTH"'", "role_keys": ["reader"]}' >/dev/null

step "people and machines, by curl"
ADA=$(field userId "$(rest "$NORTH_PAT" POST "$ACME/v2/users/human" '{"organization": {"orgId": "'"$NORTH"'"}, "username": "ada",
	"profile": {"givenName": "Ada", "familyName": "Lovelace"}, "email": {"email": "ada@north.example", "isVerified": true},
	"password": {"password": "Correct-horse-1"}}')")
ROBOT=$(machine "$NORTH_PAT" "$NORTH" robot ACCESS_TOKEN_TYPE_JWT)
ROBOT_SECRET=$(field clientSecret "$(rest "$NORTH_PAT" POST "$ACME/v2/users/$ROBOT/secret" '{}')")
ROBOT_KEY=$(field keyContent "$(rest "$NORTH_PAT" POST "$ACME/v2/users/$ROBOT/keys" '{"expirationDate": "2999-01-01T00:00:00Z"}')")
CLERK=$(machine "$SOUTH_PAT" "$SOUTH" clerk)
CLERK_SECRET=$(field clientSecret "$(rest "$SOUTH_PAT" POST "$ACME/v2/users/$CLERK/secret" '{}')")

# ---- what they may do -------------------------------------------------------------------------

step "applications, roles of users, and an administrator, by Connect"
CASTELLAN_DESCRIPTORS=$(mktemp) && trap 'rm -f "$CASTELLAN_DESCRIPTORS"' EXIT
"$GRPCURL" -plaintext -protoset-out "$CASTELLAN_DESCRIPTORS" "$ADDRESS" describe >/dev/null
export CASTELLAN_DESCRIPTORS ACME GLOBEX NORTH SOUTH NORTH_PAT SOUTH_PAT SHOP HIDDEN ADA ROBOT CLERK
APPLICATIONS=$(node tenant.mjs)

# ---- tokens -----------------------------------------------------------------------------------

export OWNER_KEY GLOBEX_PAT ROBOT_SECRET ROBOT_KEY CLERK_SECRET APPLICATIONS
step "tokens, by curl"
scope="openid profile urn:zitadel:iam:org:projects:roles urn:zitadel:iam:org:project:id:$SHOP:aud urn:zitadel:iam:org:project:id:zitadel:aud"
answer=$(curl -sS -u "robot:$ROBOT_SECRET" -d grant_type=client_credentials --data-urlencode "scope=$scope" "$ACME/oauth/v2/token")
token=$(field access_token "$answer")
shows '"userName":"robot"' "$(rest "$token" GET "$ACME/auth/v1/users/me")"
shows '"writer":' "$(rest "$token" GET "$ACME/oidc/v1/userinfo")"
shows '"kid":' "$(curl -sS "$ACME/oauth/v2/keys")"
curl -sS -u "robot:$ROBOT_SECRET" -d "token=$token" "$ACME/oauth/v2/revoke"
refused 401 "$token" GET "$ACME/auth/v1/users/me"
step "tokens, by openid-client"
node openid-client.mjs
step "tokens, by x/oauth2 and go-oidc"
${RELYING:-go run ./relying}

# ---- who sees what ----------------------------------------------------------------------------

step "what is North's is not there for the owner of South, by curl and grpcurl"
found=$(rest "$SOUTH_PAT" POST "$ACME/v2/organizations/_search" '{}')
shows "$SOUTH" "$found" && hides "$NORTH" "$found"
found=$(rest "$SOUTH_PAT" POST "$ACME/v2/users" '{}')
shows "$CLERK" "$found" && hides "$ROBOT" "$found" && hides "$ADA" "$found"
found=$(grpc "$SOUTH_PAT" $PROJECTS/ListProjects '{}')
shows "$SHOP" "$found" && hides "$HIDDEN" "$found" # it was granted the one
found=$(rest "$SOUTH_PAT" POST "$ACME/zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators" '{}')
hides "$ADA" "$found"
for call in \
	"GET /v2/users/$ROBOT" "DELETE /v2/users/$ROBOT" "POST /v2/users/$ADA/pats {\"expirationDate\":\"2999-01-01T00:00:00Z\"}" \
	"POST /v2/organizations/$NORTH {\"name\":\"South-too\"}" "DELETE /v2/organizations/$NORTH" \
	"POST /zitadel.project.v2.ProjectService/GetProject {\"projectId\":\"$HIDDEN\"}" \
	"POST /zitadel.project.v2.ProjectService/DeleteProject {\"projectId\":\"$SHOP\"}"; do
	read -r method path body <<<"$call"
	refused 404 "$SOUTH_PAT" "$method" "$ACME$path" "$body"
done
rest "$NORTH_PAT" GET "$ACME/v2/users/$ROBOT" >/dev/null # it is there all the same

step "another instance takes no token of this one, by curl and grpcurl"
rest "$GLOBEX_PAT" GET "$GLOBEX/auth/v1/users/me" >/dev/null
for token in "$OWNER_PAT" "$NORTH_PAT" "$SOUTH_PAT"; do
	rest "$token" GET "$ACME/auth/v1/users/me" >/dev/null
	refused 401 "$token" GET "$GLOBEX/auth/v1/users/me"
	answer=$("$GRPCURL" -plaintext -authority "${GLOBEX#http://}" -H "authorization: Bearer $token" "$ADDRESS" \
		zitadel.auth.v1.AuthService/GetMyUser 2>&1) && fail "a token of another instance opens $GLOBEX"
	shows Unauthenticated "$answer"
done
refused 401 "$GLOBEX_PAT" GET "$ACME/auth/v1/users/me"
step "done"
