module castellan/tools/protos

go 1.26.8

require github.com/grpc-ecosystem/grpc-gateway v1.16.0
