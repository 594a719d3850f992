package isolation

import (
	"google.golang.org/protobuf/proto"

	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

const webKeys = "zitadel.webkey.v2.WebKeyService"

// webKey is a key of the instance that has not signed anything, and so may be activated or deleted.
func (p *place) webKey() {
	p.Helper()
	var all webkeyv2.ListWebKeysResponse
	p.do(webKeys+"/ListWebKeys", &webkeyv2.ListWebKeysRequest{}, &all)
	for _, k := range all.GetWebKeys() {
		if k.GetState() == webkeyv2.State_STATE_INITIAL {
			p.t["web_key_id"] = k.GetId()
			return
		}
	}
	var made webkeyv2.CreateWebKeyResponse
	p.do(webKeys+"/CreateWebKey", newWebKey(), &made)
	p.t["web_key_id"] = made.GetId()
}

func newWebKey() *webkeyv2.CreateWebKeyRequest {
	return &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Ed25519{Ed25519: &webkeyv2.ED25519{}}}
}

func init() {
	add(webKeys, map[string]case_{
		"CreateWebKey":   {whole, func(Target) proto.Message { return newWebKey() }},
		"ActivateWebKey": {whole, func(t Target) proto.Message { return &webkeyv2.ActivateWebKeyRequest{Id: t["web_key_id"]} }},
		"DeleteWebKey":   {whole, func(t Target) proto.Message { return &webkeyv2.DeleteWebKeyRequest{Id: t["web_key_id"]} }},
		"ListWebKeys":    {whole, func(Target) proto.Message { return &webkeyv2.ListWebKeysRequest{} }},
	})
	names(webKeys, map[string]string{"id": "web_key_id"})
}
