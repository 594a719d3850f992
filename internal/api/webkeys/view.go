package webkeys

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/webkey"

	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

var (
	states = map[string]webkeyv2.State{
		webkey.Initial:  webkeyv2.State_STATE_INITIAL,
		webkey.Active:   webkeyv2.State_STATE_ACTIVE,
		webkey.Inactive: webkeyv2.State_STATE_INACTIVE,
	}
	lengths = map[webkeyv2.RSABits]int{
		webkeyv2.RSABits_RSA_BITS_2048: 2048,
		webkeyv2.RSABits_RSA_BITS_3072: 3072,
		webkeyv2.RSABits_RSA_BITS_4096: 4096,
	}
	hashes = map[webkeyv2.RSAHasher]webkey.Algorithm{
		webkeyv2.RSAHasher_RSA_HASHER_SHA256: webkey.RS256,
		webkeyv2.RSAHasher_RSA_HASHER_SHA384: webkey.RS384,
		webkeyv2.RSAHasher_RSA_HASHER_SHA512: webkey.RS512,
	}
	curves = map[webkeyv2.ECDSACurve]webkey.Algorithm{
		webkeyv2.ECDSACurve_ECDSA_CURVE_P256: webkey.ES256,
		webkeyv2.ECDSACurve_ECDSA_CURVE_P384: webkey.ES384,
		webkeyv2.ECDSACurve_ECDSA_CURVE_P512: webkey.ES512,
	}
)

// configOf reads what key is wanted; an RSA key when the request does not say (contract section 8). What is
// no key is found by webkey.
func configOf(req *webkeyv2.CreateWebKeyRequest) webkey.Config {
	switch k := req.GetKey().(type) {
	case *webkeyv2.CreateWebKeyRequest_Rsa:
		return webkey.Config{Algorithm: hashes[k.Rsa.GetHasher()], Bits: lengths[k.Rsa.GetBits()]}
	case *webkeyv2.CreateWebKeyRequest_Ecdsa:
		return webkey.Config{Algorithm: curves[k.Ecdsa.GetCurve()]}
	case *webkeyv2.CreateWebKeyRequest_Ed25519:
		return webkey.Config{Algorithm: webkey.EdDSA}
	default:
		return webkey.First
	}
}

// show shows a key.
func show(k webkey.State) *webkeyv2.WebKey {
	shown := &webkeyv2.WebKey{
		Id:           k.ID,
		CreationDate: timestamppb.New(k.CreatedAt),
		ChangeDate:   timestamppb.New(k.ChangedAt),
		State:        states[k.State],
	}
	switch a := k.Config.Algorithm; {
	case k.Config.Bits > 0:
		shown.Key = &webkeyv2.WebKey_Rsa{Rsa: &webkeyv2.RSA{Bits: keyOf(lengths, k.Config.Bits), Hasher: keyOf(hashes, a)}}
	case a == webkey.EdDSA:
		shown.Key = &webkeyv2.WebKey_Ed25519{Ed25519: &webkeyv2.ED25519{}}
	default:
		shown.Key = &webkeyv2.WebKey_Ecdsa{Ecdsa: &webkeyv2.ECDSA{Curve: keyOf(curves, a)}}
	}
	return shown
}

// keyOf returns the key of a value that is once in a map, and the zero key for any other.
func keyOf[K, V comparable](m map[K]V, value V) K {
	for k, v := range m {
		if v == value {
			return k
		}
	}
	var none K
	return none
}
