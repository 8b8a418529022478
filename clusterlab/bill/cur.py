"""AWS's Cost and Usage Report 2.0: which of its columns is which of FOCUS.

Source: AWS Data Exports, table dictionary of CUR 2.0, and AWS's own description of the types of line items.
"""

from __future__ import annotations

from collections.abc import Collection

NEEDED = {
    "BilledCost": "line_item_unblended_cost",
    "BillingAccountId": "bill_payer_account_id",
    "BillingCurrency": "line_item_currency_code",
    "BillingPeriodStart": "bill_billing_period_start_date",
    "BillingPeriodEnd": "bill_billing_period_end_date",
    "ChargeCategory": "line_item_line_item_type",
    "ChargePeriodStart": "line_item_usage_start_date",
    "ChargePeriodEnd": "line_item_usage_end_date",
}
"""Columns by their name in FOCUS; unblended is what the invoice says."""
OPTIONAL = {
    "ChargeDescription": "line_item_line_item_description",
    "RegionId": "product_region_code",
    "ResourceId": "line_item_resource_id",
    "ServiceName": "line_item_product_code",
    "SkuId": "product_sku",
    "SubAccountId": "line_item_usage_account_id",
}
"""Columns that an export may leave out."""
TAGS = "resource_tags"
CATEGORIES = {
    **dict.fromkeys(("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation", "Refund"), "Usage"),
    **dict.fromkeys(("BundledDiscount", "Discount", "EdpDiscount", "PrivateRateDiscount", "RiVolumeDiscount"), "Usage"),
    **dict.fromkeys(("Fee", "RIFee", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee"), "Purchase"),
    "Tax": "Tax",
    "Credit": "Credit",
    "Rounding": "Adjustment",
}
"""ChargeCategory by AWS's type of a line item; a discount or a refund is of the usage that it lowers."""


def is_cur(columns: Collection[str]) -> bool:
    """Whether columns are of CUR 2.0, whole or in part."""
    return any(each in columns for each in NEEDED.values())


def faults(columns: Collection[str]) -> list[tuple[str, str]]:
    """What is missing of a CUR 2.0: each column with a message."""
    message = "missing; an export of CUR 2.0 must select it, as it is what FOCUS calls"
    return [(source, f"{message} {name}") for name, source in NEEDED.items() if source not in columns]
