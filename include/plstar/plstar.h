/* plstar: tangent kernels, their spectra and the PL* condition of wide networks. All headers. */
#ifndef PLSTAR_PLSTAR_H
#define PLSTAR_PLSTAR_H

#include "plstar/arrays.h"
#include "plstar/audit.h"
#include "plstar/context.h"
#include "plstar/dataset.h"
#include "plstar/device.h"
#include "plstar/infinite_width.h"
#include "plstar/model.h"
#include "plstar/planted.h"
#include "plstar/quadrature.h"
#include "plstar/report.h"
#include "plstar/second.h"
#include "plstar/status.h"
#include "plstar/study.h"
#include "plstar/system.h"
#include "plstar/tangent.h"
#include "plstar/theory.h"
#include "plstar/train.h"
#include "plstar/types.h"

#endif
