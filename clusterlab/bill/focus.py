"""FOCUS, the FinOps Open Cost and Usage Specification: the columns of versions 1.0 to 1.2.

Source: `specification/columns` of FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec at the tags v1.0, v1.1 and v1.2.
"""

from __future__ import annotations

from collections.abc import Collection

MANDATORY = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
]
"""In every version; each may only be missing from what is no FOCUS."""
ADDED = {
    "1.0": (
        *MANDATORY,
        *[
            "AvailabilityZone",
            "ChargeFrequency",
            "CommitmentDiscountCategory",
            "CommitmentDiscountId",
            "CommitmentDiscountName",
            "CommitmentDiscountStatus",
            "CommitmentDiscountType",
            "ConsumedQuantity",
            "ConsumedUnit",
            "ContractedUnitPrice",
            "ListUnitPrice",
            "PricingCategory",
            "RegionId",
            "RegionName",
            "ResourceId",
            "ResourceName",
            "ResourceType",
            "SkuId",
            "SkuPriceId",
            "SubAccountId",
            "SubAccountName",
            "Tags",
        ],
    ),
    "1.1": [
        "CapacityReservationId",
        "CapacityReservationStatus",
        "CommitmentDiscountQuantity",
        "CommitmentDiscountUnit",
        "ServiceSubcategory",
        "SkuMeter",
        "SkuPriceDetails",
    ],
    "1.2": [
        "BillingAccountType",
        "InvoiceId",
        "PricingCurrency",
        "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "SubAccountType",
    ],
}
"""The columns that each version brought; none was taken away until 1.2."""
ELSEWHERE = {
    **dict.fromkeys(("AmortizedCost", "ChargeType"), "0.5"),
    **dict.fromkeys(("ChargeSubcategory", "Region", "UsageQuantity", "UsageUnit"), "1.0-preview"),
    **dict.fromkeys(("HostProviderName", "ServiceProviderName"), "1.3"),
}
"""Columns of versions that are not read, so that a message can name them."""
CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
"""What a ChargeCategory may be."""


def version(columns: Collection[str]) -> str:
    """The oldest version that has all of these columns of its own."""
    return next((each for each in ("1.2", "1.1") if not set(ADDED[each]).isdisjoint(columns)), "1.0")


def faults(columns: Collection[str]) -> list[tuple[str, str]]:
    """What keeps columns from being FOCUS 1.0 to 1.2: each wrong column with a message."""
    known = {name for names in ADDED.values() for name in names}
    found = [(name, "missing; FOCUS 1.0 to 1.2 have it in every export") for name in MANDATORY if name not in columns]
    for name in columns:
        if name in ELSEWHERE:
            found.append((name, f"a column of FOCUS {ELSEWHERE[name]}; allowed: an export of FOCUS 1.0, 1.1 or 1.2"))
        elif name not in known and not name.startswith("x_"):
            found.append((name, "no column of FOCUS 1.0 to 1.2; allowed: those, and columns that begin with x_"))
    return found
