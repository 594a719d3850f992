package webkeys

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/bind"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/webkey"

	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

// Service handles the calls. Errors are those of [webkey.Service].
type Service struct {
	Keys *webkey.Service
}

// Methods is the service as it is registered.
func (s *Service) Methods() *bind.Table {
	return bind.Service(&webkeyv2.WebKeyService_ServiceDesc,
		bind.Unary("CreateWebKey", s.CreateWebKey),
		bind.Unary("ActivateWebKey", s.ActivateWebKey),
		bind.Unary("DeleteWebKey", s.DeleteWebKey),
		bind.Unary("ListWebKeys", s.ListWebKeys),
	)
}

// CreateWebKey makes a key.
func (s *Service) CreateWebKey(ctx context.Context, at ident.InstanceID, req *webkeyv2.CreateWebKeyRequest) (*webkeyv2.CreateWebKeyResponse, error) {
	made, err := s.Keys.Create(ctx, at, call.From(ctx).Actor, configOf(req))
	if err != nil {
		return nil, err
	}
	return &webkeyv2.CreateWebKeyResponse{Id: made.ID, CreationDate: timestamppb.New(made.CreatedAt)}, nil
}

// ActivateWebKey makes a key the one that signs.
func (s *Service) ActivateWebKey(ctx context.Context, at ident.InstanceID, req *webkeyv2.ActivateWebKeyRequest) (*webkeyv2.ActivateWebKeyResponse, error) {
	after, err := s.Keys.Activate(ctx, at, call.From(ctx).Actor, ident.KeyID(req.GetId()))
	if err != nil {
		return nil, err
	}
	return &webkeyv2.ActivateWebKeyResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteWebKey ends a key.
func (s *Service) DeleteWebKey(ctx context.Context, at ident.InstanceID, req *webkeyv2.DeleteWebKeyRequest) (*webkeyv2.DeleteWebKeyResponse, error) {
	when, err := s.Keys.Delete(ctx, at, call.From(ctx).Actor, ident.KeyID(req.GetId()))
	if err != nil {
		return nil, err
	}
	return &webkeyv2.DeleteWebKeyResponse{DeletionDate: timestamp(when)}, nil
}

// ListWebKeys lists all keys.
func (s *Service) ListWebKeys(ctx context.Context, at ident.InstanceID, _ *webkeyv2.ListWebKeysRequest) (*webkeyv2.ListWebKeysResponse, error) {
	keys, err := s.Keys.List(ctx, at)
	if err != nil {
		return nil, err
	}
	list := make([]*webkeyv2.WebKey, len(keys))
	for i, k := range keys {
		list[i] = show(k)
	}
	return &webkeyv2.ListWebKeysResponse{WebKeys: list}, nil
}

// timestamp shows a time; none when it is zero.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
