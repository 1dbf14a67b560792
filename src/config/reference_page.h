/*
 * reference_page: what stands around the rows in the HTML reference: style and script.
 */
#ifndef CONFIG_REFERENCE_PAGE_H
#define CONFIG_REFERENCE_PAGE_H

extern const char reference_page_head[], reference_page_foot[];

#endif
