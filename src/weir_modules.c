/*
 * weir_modules: every module of the program, in the order in which their rows are listed and their
 * finish() runs.  What configure left out is not here.
 */
#include "weir_modules.h"

#include "config/error_log.h"
#include "config/thread_pools.h"
#include "http/core.h"
#include "http/modules/access.h"
#include "http/modules/access_log.h"
#include "http/modules/add_header.h"
#include "http/modules/addition.h"
#include "http/modules/auth_basic.h"
#include "http/modules/auth_request.h"
#include "http/modules/autoindex.h"
#include "http/modules/browser.h"
#include "http/modules/charset.h"
#include "http/modules/empty_gif.h"
#include "http/modules/gunzip.h"
#include "http/modules/gzip.h"
#include "http/modules/gzip_client.h"
#include "http/modules/gzip_static.h"
#include "http/modules/index.h"
#include "http/modules/limit_conn.h"
#include "http/modules/limit_req.h"
#include "http/modules/random_index.h"
#include "http/modules/mirror.h"
#include "http/modules/realip.h"
#include "http/modules/referer.h"
#include "http/modules/rewrite/rewrite.h"
#include "http/modules/secure_link.h"
#include "http/modules/stub_status.h"
#include "http/modules/ssi/ssi.h"
#include "http/modules/ssl/ssl.h"
#include "http/modules/ssl/ssl_peer.h"
#include "http/modules/slice.h"
#include "http/modules/sub.h"
#include "http/modules/try_files.h"
#include "http/modules/userid.h"
#include "http/proxy/proxy_conf.h"
#include "http/v2/v2.h"
#include "http/proxy/tunnel_pass.h"
#include "http/proxy/health_check.h"
#include "modules_enabled.h"
#include "process/process_conf.h"
#include "script/geo.h"
#include "script/map.h"
#include "script/split_clients.h"
#include "upstream/upstream.h"
#include "upstream/hash.h"
#include "upstream/ip_hash.h"
#include "upstream/least_conn.h"
#include "upstream/least_time.h"
#include "upstream/queue.h"
#include "upstream/resolver_rows.h"
#include "upstream/shared_peers.h"
#include "upstream/random_peer.h"
#include "upstream/sticky.h"

struct module *const weir_modules[] = {
    &process_module,
    &thread_pools_module,
    &error_log_module,
    &http_block_module,
    &http_server_module,
    &http_core_module,
    &http_resolver_module,
    &http_index_module,
    IF_MODULE_autoindex(&http_autoindex_module,)
    IF_MODULE_v2(&http_v2_module,)
    IF_MODULE_v2(&http_v2_location_module,)
    &http_try_files_module,
    IF_MODULE_rewrite(&http_rewrite_module,)
    IF_MODULE_map(&http_map_module,)
    IF_MODULE_geo(&http_geo_module,)
    IF_MODULE_split_clients(&http_split_clients_module,)
    IF_MODULE_ssl(&http_ssl_module,)
    IF_MODULE_realip(&http_realip_module,)
    IF_MODULE_limit_conn(&http_limit_conn_module,)
    IF_MODULE_limit_req(&http_limit_req_module,)
    IF_MODULE_access(&http_access_module,)
    IF_MODULE_auth_basic(&http_auth_basic_module,)
    IF_MODULE_auth_request(&http_auth_request_module,)
    &http_headers_module,
    &http_gzip_client_module,
    IF_MODULE_gzip(&http_gzip_module,)
    IF_MODULE_gzip_static(&http_gzip_static_module,)
    IF_MODULE_gunzip(&http_gunzip_module,)
    IF_MODULE_ssi(&http_ssi_module,)
    IF_MODULE_mirror(&http_mirror_module,)
    IF_MODULE_slice(&http_slice_module,)
    IF_MODULE_sub(&http_sub_module,)
    IF_MODULE_addition(&http_addition_module,)
    IF_MODULE_charset(&http_charset_module,)
    IF_MODULE_empty_gif(&http_empty_gif_module,)
    IF_MODULE_referer(&http_referer_module,)
    IF_MODULE_secure_link(&http_secure_link_module,)
    IF_MODULE_stub_status(&http_stub_status_module,)
    IF_MODULE_browser(&http_browser_module,)
    IF_MODULE_random_index(&http_random_index_module,)
    IF_MODULE_userid(&http_userid_module,)
    &http_log_module,
    &http_upstream_module,
    IF_MODULE_upstream_keepalive(&http_upstream_keepalive_module,)
    IF_MODULE_upstream_zone(&http_upstream_zone_module,)
    IF_MODULE_upstream_hash(&http_upstream_hash_module,)
    IF_MODULE_upstream_ip_hash(&http_upstream_ip_hash_module,)
    IF_MODULE_upstream_least_conn(&http_upstream_least_conn_module,)
    IF_MODULE_upstream_least_time(&http_upstream_least_time_module,)
    IF_MODULE_upstream_random(&http_upstream_random_module,)
    &http_upstream_queue_module,
    IF_MODULE_upstream_sticky(&http_upstream_sticky_module,)
    IF_MODULE_ssl(&http_proxy_ssl_module,)
    &http_proxy_module,
    IF_MODULE_upstream_hc(&http_health_module,)
    IF_MODULE_tunnel(&http_tunnel_module,)
    NULL,
};
